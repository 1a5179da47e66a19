//! Every mistake in a gateway's file is told when it is read, with its key and a remedy.

#[cfg(test)]
mod tests {
    use super::super::file::GatewayFile;
    use super::super::pattern::Slot;
    use super::super::values::Values;

    fn parse(table: &str) -> Result<Values, String> {
        Values::parse("submit.values", &toml::from_str(table).unwrap(), |slot| match slot {
            Slot::Url => Err("{url} is known of pushes only".into()),
            _ => Ok(()),
        })
    }

    #[test]
    fn every_mistake_is_told_with_its_key_and_a_remedy() {
        for (table, problem) in [
            ("a = 1", "submit.values.a: "),
            ("a = {}", "submit.values.a: a value is a text, or a table with one of time"),
            ("a = { md5 = \"x\", sha1 = \"x\" }", "submit.values.a: a value is a text"),
            ("a = { sha255 = \"x\" }", "submit.values.a: unknown field `sha255`"),
            ("a = { md5 = \"{txt}\" }", "{txt} is not a placeholder"),
            ("A = \"x\"", "submit.values.A: a name takes a–z"),
            ("a = \"{values.b}\"\nb = \"x\"", "submit.values.a: {values.b} is not defined above"),
            ("a = \"{values.a}\"", "submit.values.a: {values.a} is not defined above"),
            ("a = { hmac_sha256 = \"x\" }", "submit.values.a: set key to a text"),
            ("a = { hmac_sha256 = \"x\", key = 1 }", "submit.values.a: set key to a text"),
            (
                "a = { hmac_sha256 = \"x\", key = { bytes_of = \"b\" } }",
                "submit.values.a: {values.b} is not defined above",
            ),
            ("a = { hmac_sha256 = \"x\", key = { of = \"b\" } }", "submit.values.a: set key to"),
            ("a = { md5 = \"x\", key = \"k\" }", "submit.values.a: key belongs to an HMAC"),
            ("a = { random = 8, as = \"hex\" }", "submit.values.a: «as» belongs to a hash"),
            ("a = { md5 = \"x\", as = \"octal\" }", "submit.values.a: unknown variant `octal`"),
            ("a = { random = 0 }", "submit.values.a: random takes 1 to 64 digits"),
            ("a = { random = 65 }", "submit.values.a: random takes 1 to 64 digits"),
            ("a = { time = \"now\" }", "submit.values.a: «now» is no format of a time"),
            ("a = { time = \"%Q\" }", "submit.values.a: «%Q» is no format of a time"),
            ("a = { time = \"%Y\", zone = \"CST\" }", "submit.values.a: zone «CST» is no offset"),
            (
                "a = { time = \"unix\", zone = \"+08:00\" }",
                "submit.values.a: unix and unix_ms have",
            ),
            ("a = { md5 = \"x\", zone = \"+08:00\" }", "submit.values.a: zone belongs to"),
            ("a = { sorted = \"{name}\" }", "submit.values.a: sorted must hold {value}"),
            ("a = { md5 = \"x\", join = \",\" }", "submit.values.a: zone belongs to a time"),
            ("a = \"{url}\"", "submit.values.a: {url} is known of pushes only"),
        ] {
            let told = parse(table).err().expect(table);
            assert!(told.contains(problem), "{table}: {told}");
        }
    }

    #[test]
    fn every_mistake_in_a_files_use_of_values_is_told() {
        let aws = include_str!("../../../../config/gateways/aws.toml");
        let yunpian = include_str!("../../../../config/gateways/yunpian.toml");
        let huawei = include_str!("../../../../config/gateways/huawei.toml");
        for (file, from, to, problem) in [
            (
                aws,
                "Signature={values.signature}",
                "Signature={values.sig}",
                "submit.authorization: {values.sig} is not defined",
            ),
            (
                aws,
                "\"reference\":\"{id}\"",
                "\"reference\":\"{values.signature}\"",
                "submit.body: {values.signature} is computed of what is not known yet",
            ),
            (
                aws,
                "amazonaws.com/\"",
                "amazonaws.com/?h={values.hash}\"",
                "submit.url: {values.hash} is computed of what is not known",
            ),
            (
                aws,
                "\"reference\":\"{id}\"",
                "\"reference\":\"{body}\"",
                "submit.body: {body} stands in submit.values only",
            ),
            (
                aws,
                "{constants.identity}",
                "{constants.sender}",
                "submit.body: {constants.sender} is not defined; add it to [constants]",
            ),
            (
                aws,
                "hash = { sha256 = \"{body}\" }",
                "hash = { sorted = \"{value}\" }",
                "submit.values.hash: sorted is for the fields of a push",
            ),
            (aws, "{text}", "{template_code}", "add [template.\"*\"]"),
            (huawei, "{link_code}", "{name}", "no parameter holds {link_code}"),
            (
                huawei,
                "[\"{name}\", \"{subject}\", \"{link_code}\"]",
                "7",
                "template.\"*\".parameters: write texts in order",
            ),
            (yunpian, "field = \"/_sign\"", "", "reply.signature: set either header or field"),
            (
                yunpian,
                "{values.fields},{secret}",
                "{values.fields},{to}",
                "reply.signature.values.digest: {to} is not known of a push",
            ),
            (
                yunpian,
                "{ md5 = \"{values.fields},{secret}\" }",
                "{ time = \"unix\" }",
                "reply.signature.values.digest: a push is not signed with our time",
            ),
            (
                yunpian,
                "equals = \"{values.digest}\"",
                "equals = \"{values.d}\"",
                "reply.signature.equals: {values.d} is not defined",
            ),
            (
                yunpian,
                "time_zone = \"+08:00\"",
                "time_zone = \"CST\"",
                "reply.time_zone is no offset",
            ),
            (
                yunpian,
                "delivered = [\"SUCCESS\"]",
                "delivered = [\"SUCCESS\"]\ndead = []",
                "unknown field `dead`",
            ),
            (
                yunpian,
                "json_field = \"sms_status\"",
                "entries = \"/x\"",
                "receipt.entries is a pointer into JSON",
            ),
        ] {
            assert!(file.contains(from), "{from}");
            let told = GatewayFile::parse(&file.replace(from, to)).err().expect(to);
            assert!(told.contains(problem), "{to}: {told}");
        }
    }
}
