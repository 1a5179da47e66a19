//! The language of values says what code says: signatures of Alibaba Cloud's requests and of
//! Twilio's pushes, written as a gateway's file, equal those of the gateways that are written in
//! code.

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::super::super::http::escape_url;
    use super::super::super::{
        OutgoingMessage, Push, PushError, alibaba, approved_templates, twilio,
    };
    use super::super::entries::entries;
    use super::super::file::GatewayFile;
    use super::super::push_signature::verify;
    use super::super::request::tests::account;
    use super::super::request::{Builder, RequestSubject, describe_request};
    use crate::domain::personal::Personal;
    use crate::domain::sms_text::Placeholder;
    use crate::domain::time::Timestamp;

    const ALIBABA: &str = r#"
        kind = "template"

        [template."*"]
        code = "SMS_1"
        parameters = { name = "{name}", code = "{link_code}" }

        [submit]
        method = "POST"
        url = "https://dysmsapi.aliyuncs.com/?OutId={id}&PhoneNumbers={to_national}&SignName={constants.sign_name}&TemplateCode={template_code}&TemplateParam={template_parameters}"

        [submit.headers]
        x-acs-action = "SendSms"
        x-acs-content-sha256 = "{values.hash}"
        x-acs-date = "{values.date}"
        x-acs-signature-nonce = "{values.nonce}"
        x-acs-version = "2017-05-25"
        authorization = "ACS3-HMAC-SHA256 Credential={user},SignedHeaders={values.signed},Signature={values.signature}"

        [submit.values]
        hash = { sha256 = "{body}" }
        date = { time = "%Y-%m-%dT%H:%M:%SZ" }
        nonce = { random = 32 }
        signed = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
        headers = "host:{host}\nx-acs-action:SendSms\nx-acs-content-sha256:{values.hash}\nx-acs-date:{values.date}\nx-acs-signature-nonce:{values.nonce}\nx-acs-version:2017-05-25\n"
        canonical = { sha256 = "POST\n/\n{query}\n{values.headers}\n{values.signed}\n{values.hash}" }
        signature = { hmac_sha256 = "ACS3-HMAC-SHA256\n{values.canonical}", key = "{secret}" }

        [submit.answer]
        accepted_status = [200]
    "#;

    const TWILIO: &str = r#"
        kind = "template"

        [submit]
        method = "POST"
        url = "https://x.cn/"
        body = "{text}"

        [submit.answer]
        accepted_status = [200]

        [receipt]
        form = "form"
        id = "MessageSid"
        state = "MessageStatus"
        delivered = ["delivered"]

        [receipt.signature]
        header = "x-twilio-signature"
        equals = "{values.signature}"

        [receipt.signature.values]
        fields = { sorted = "{name}{value}" }
        signature = { HASH = "{url}{values.fields}", key = "{secret}", as = "base64" }
    "#;

    fn client() -> reqwest::Client {
        crate::adapters::http_client::new(std::time::Duration::from_secs(1)).unwrap()
    }

    fn message(reference: &str, name: &str, code: &str) -> OutgoingMessage {
        OutgoingMessage {
            reference: reference.into(),
            fields: [
                (Placeholder::Name, Personal::new(name)),
                (Placeholder::Link, Personal::new(format!("https://x.cn/i/{code}"))),
            ]
            .into(),
            ..approved_templates::tests::message("13800138000")
        }
    }

    proptest! {
        #[test]
        fn alibabas_requests(
            reference in "[a-zA-Z0-9-]{0,40}",
            name in "\\PC{0,20}",
            code in "[a-z0-9]{0,12}",
            sign_name in "\\PC{0,12}",
            user in "[a-zA-Z0-9]{1,30}",
            secret in "\\PC{0,70}",
            at in 0i64..4_000_000_000_000,
        ) {
            let mut file = GatewayFile::parse(
                &ALIBABA.replace("kind =", "constants.sign_name = \"?\"\nkind ="),
            )
            .unwrap();
            let mut account = account();
            account.user.clone_from(&user);
            account.secret = Personal::new(secret.as_str());
            account.constants.insert("sign_name".into(), sign_name.clone());
            account.templates = file.templates.take();
            let message = message(&reference, &name, &code);
            let client = client();
            let random = |octets: &mut [u8]| {
                octets.fill(0x5a);
                true
            };
            let builder = Builder { client: &client, account: &account, now: Timestamp(at), random };
            let request =
                builder.build(&file.submit.request, RequestSubject::Message(&message)).unwrap();
            let date = chrono::DateTime::from_timestamp_millis(at).unwrap();
            let parameters = serde_json::json!({ "name": name, "code": code }).to_string();
            let call = alibaba::Call {
                action: "SendSms",
                version: "2017-05-25",
                host: "dysmsapi.aliyuncs.com",
                query: vec![
                    ("TemplateParam", parameters),
                    ("TemplateCode", "SMS_1".into()),
                    ("SignName", sign_name),
                    ("PhoneNumbers", "13800138000".into()),
                    ("OutId", reference),
                ],
                form: Vec::new(),
                date: date.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                nonce: "5a".repeat(16),
            };
            let on_the_wire = call.query_on_the_wire();
            prop_assert_eq!(request.url().query(), Some(on_the_wire.as_str()));
            let signed = alibaba::authorization(&call, &user, &secret);
            let sent = request.headers()["authorization"].to_str().unwrap();
            prop_assert_eq!(sent, signed.as_str());
            let log = describe_request(&file.submit.request, &message, &account);
            let signature = signed.rsplit_once('=').unwrap().1;
            prop_assert!(!log.contains(signature));
            prop_assert!(secret.chars().count() < 8 || !log.contains(&escape_url(&secret)));
        }

        #[test]
        fn twilios_pushes(
            fields in prop::collection::vec(("[A-Za-z]{0,8}", "\\PC{0,20}"), 0..6),
            query in "([a-z]{1,6}=[a-z0-9%]{0,6})?",
            port in prop::option::of(Just(":443")),
            token in "\\PC{1,40}",
            is_sha256: bool,
            other in "\\PC{1,5}",
        ) {
            let hash = if is_sha256 { "hmac_sha256" } else { "hmac_sha1" };
            let file = GatewayFile::parse(&TWILIO.replace("HASH", hash)).unwrap();
            let section = file.receipt.unwrap();
            let mut account = account();
            account.secret = Personal::new(token.as_str());
            let algorithm =
                if is_sha256 { twilio::Algorithm::Sha256 } else { twilio::Algorithm::Sha1 };
            let path = "/hooks/g/s/receipts";
            let question = if query.is_empty() { "" } else { "?" };
            let called = format!("https://x.cn{}{path}{question}{query}", port.unwrap_or_default());
            let signature = twilio::signature(&called, &fields, &token, algorithm);
            let check = |fields: &[(String, String)], signature: &str| {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                let mut headers = HeaderMap::new();
                headers.insert("x-twilio-signature", HeaderValue::from_str(signature).unwrap());
                let url = format!("https://x.cn{path}");
                let push = Push { url: &url, query: &query, headers: &headers, body: body.as_bytes() };
                let entries = entries(&section.source, None, push).unwrap();
                verify(section.source.signature.as_ref(), &account, push, &entries)
            };
            prop_assert_eq!(check(&fields, &signature), Ok(()));
            let mut more = fields.clone();
            more.push(("Zz".into(), other));
            prop_assert_eq!(check(&more, &signature), Err(PushError::Forged));
            prop_assert_eq!(check(&fields, ""), Err(PushError::Forged));
            prop_assert_eq!(check(&fields, &signature[1..]), Err(PushError::Forged));
        }
    }
}
