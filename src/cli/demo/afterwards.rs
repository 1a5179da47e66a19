//! What happens after the fields are closed: somebody who has completed takes back the consent, and a corrected version of the dataset follows.

use anyhow::Result;

use super::world::World;
use crate::installation::open_phone;
use crate::store::{applications, campaigns, lists};
use crate::{dataset, deadline, http_client};

/// What the last page says to whoever may still take the consent back.
const OFFERS_IT: &str = "撤回同意";

/// The first person on the lists whose last page offers it, takes the consent back; what follows is the daemon's own doing.
pub async fn one_withdraws(world: &World) -> Result<()> {
    let installation = &world.installation;
    let client = http_client::new(std::time::Duration::from_secs(10))?;
    let links = links(world).await?;
    for link in links {
        if client.get(&link).send().await?.text().await?.contains(OFFERS_IT) {
            client.post(format!("{link}/refuse")).send().await?;
            break;
        }
    }
    deadline::tick(installation).await?;
    dataset::write_pending(installation).await?;
    Ok(())
}

/// The personal links of the first application's people, in the order of its list.
async fn links(world: &World) -> Result<Vec<String>> {
    let installation = &world.installation;
    let mut connection = installation.store.read().await?;
    let Some(application) = applications::all(&mut connection).await?.into_iter().next() else { return Ok(Vec::new()) };
    let Some(campaign) = application.campaign_id else { return Ok(Vec::new()) };
    let campaign = campaigns::get(&mut connection, campaign).await?.code;
    let (sealer, hasher) = (installation.keys.sealer(&application.key_id)?, installation.keys.hasher());
    let mut links = Vec::new();
    for (_, phone) in lists::sealed_persons(&mut connection, application.id).await? {
        let hash = hasher.number(&open_phone(&sealer, &phone)?);
        links.push(format!("{}/i/{}", installation.config.public_url, hasher.link_code(&campaign, &application.key_id, &hash)));
    }
    Ok(links)
}
