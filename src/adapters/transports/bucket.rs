//! A bucket of an S3-compatible storage.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::buffered::BufWriter;
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::{ObjectStore, RetryConfig};
use tokio::io::AsyncWriteExt;

use crate::adapters::config::S3Config;
use crate::adapters::http_client;

/// Larger files are uploaded in parts of this size.
const PART: usize = 8 * 1024 * 1024;
/// Timeout of one part.
const TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "bucket.", serialize_all = "snake_case")]
pub enum BucketError {
    #[error("{0}")]
    Storage(#[from] object_store::Error),
    #[error("{0}")]
    File(#[from] std::io::Error),
}

pub struct Bucket(Arc<AmazonS3>);

impl Bucket {
    /// Opens a bucket without sending a request.
    pub fn open(config: &S3Config) -> Result<Bucket, BucketError> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&config.endpoint)
            .with_region(&config.region)
            .with_bucket_name(&config.bucket)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(config.secret_access_key.reveal())
            .with_virtual_hosted_style_request(false)
            .with_allow_http(config.endpoint.starts_with("http://"))
            // The storage rejects content that was altered in transit.
            .with_checksum_algorithm(Checksum::SHA256)
            // The delivery is retried by its caller, for days.
            .with_retry(RetryConfig { max_retries: 1, ..RetryConfig::default() })
            .with_http_connector(SharedHttpClient)
            .build()?;
        Ok(Bucket(Arc::new(store)))
    }

    /// Uploads a file under a name atomically and replaces an existing object.
    pub async fn put_file(&self, name: &str, file: &Path) -> Result<(), BucketError> {
        let mut from = tokio::fs::File::open(file).await?;
        let mut to =
            BufWriter::with_capacity(self.0.clone() as Arc<dyn ObjectStore>, name.into(), PART)
                .with_max_concurrency(2);
        if let Err(error) = tokio::io::copy(&mut from, &mut to).await {
            // Uploaded parts cost money, so the upload is aborted; that this may fail too changes
            // nothing. A writer whose shutdown has begun must not be aborted.
            let _ = to.abort().await;
            return Err(error.into());
        }
        Ok(to.shutdown().await?)
    }
}

/// The HTTP client shared by all outgoing requests.
#[derive(Debug)]
struct SharedHttpClient;

impl HttpConnector for SharedHttpClient {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = http_client::new(TIMEOUT).map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(client))
    }
}
