//! Providers elsewhere.

use super::{Case, FORM_TEXT, OK, RECEIPTS_URL, TEXT, check};

#[tokio::test]
async fn vonage() {
    check(Case {
        file: include_str!("../../config/gateways/vonage.toml"),
        host: "rest.nexmo.com",
        line: "POST /sms/json",
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: format!(
            "api_key=the-id&api_secret=the-secret&from=15005550006&to=8613800138000&type=unicode\
                &text={FORM_TEXT}&client-ref=ref1&status-report-req=1\
                &callback=https%3A%2F%2Fx.cn%2Fhooks%2Fg%2Fs%2Freceipts"
        ),
        answers: &[
            // As printed in the guide.
            (
                200,
                r#"{"message-count":"1","messages":[{"to":"447700900000","message-id":"0C000000217B7F02","status":"0","remaining-balance":"15.53590000","message-price":"0.03330000","network":"23410"}]}"#,
                "accepted 0C000000217B7F02",
            ),
            (
                200,
                r#"{"messages":[{"message-id":"a","status":"0"},{"message-id":"b","status":"0"}]}"#,
                "accepted a",
            ),
            // Of two parts one is on its way: never again.
            (
                200,
                r#"{"messages":[{"status":"1"},{"message-id":"b","status":"0"}]}"#,
                "in doubt 1",
            ),
            (200, r#"{"messages":[{"status":"1","error-text":"Throttled"}]}"#, "throttled 1"),
            (200, r#"{"messages":[{"status":"4","error-text":"Bad Credentials"}]}"#, "account 4"),
            (200, r#"{"messages":[{"status":"9"},{"status":"9"}]}"#, "account 9"),
            (200, r#"{"messages":[{"status":"7"}]}"#, "refused 7"),
            (200, r#"{"messages":[{"status":"12"}]}"#, "message 12"),
            (200, r#"{"messages":[{"status":"5"}]}"#, "in doubt 5"),
            (200, r#"{"messages":[]}"#, "in doubt http_200"),
        ],
        receipts: &[
            (
                "",
                r#"{"msisdn":"447700900000","to":"AcmeInc","network-code":"12345","messageId":"0A1","price":"0.03330000","status":"delivered","scts":"2001011400","err-code":"0","client-ref":"ref1"}"#,
                &["reference=ref1 id=0A1 code=0 delivered"],
            ),
            (
                "",
                r#"{"messageId":"0A1","status":"failed","err-code":"3"}"#,
                &["id=0A1 code=3 dead number"],
            ),
            (
                "",
                r#"{"messageId":"0A1","status":"expired","err-code":"2"}"#,
                &["id=0A1 code=2 undelivered"],
            ),
            ("", r#"{"messageId":"0A1","status":"accepted"}"#, &[]),
            ("", r#"{"messageId":"0A1","status":"buffered"}"#, &[]),
            ("", r#"{"messageId":"0A1"}"#, &[r#"Missing("state")"#]),
        ],
        replies: &[
            (
                "",
                r#"{"msisdn":"447700900001","to":"447700900000","messageId":"0A2","text":"退订","type":"unicode","keyword":"退订","message-timestamp":"2026-03-02 01:30:00"}"#,
                &["447700900001: «退订» id=0A2 at=1772415000000"],
            ),
            (
                "",
                r#"{"msisdn":"447700900001","messageId":"0A3","text":"very ","concat":"true","concat-ref":"108","concat-part":"1","concat-total":"2"}"#,
                &["447700900001: «very » id=0A3 part 1/2 of 108 «very »"],
            ),
            (
                "",
                r#"{"msisdn":"447700900001","messageId":"0A4","text":"好👍","concat":"true","concat-ref":108,"concat-part":2,"concat-total":2}"#,
                &["447700900001: «好👍» id=0A4 part 2/2 of 108 «好👍»"],
            ),
            (
                "",
                r#"{"msisdn":"1","text":"a","concat-ref":"0","concat-part":"1","concat-total":"3"}"#,
                &["1: «a» part 1/3 of 0 «a»"],
            ),
            // Parts that cannot be; a single one.
            (
                "",
                r#"{"msisdn":"1","text":"a","concat-ref":"1","concat-part":"3","concat-total":"2"}"#,
                &["1: «a»"],
            ),
            (
                "",
                r#"{"msisdn":"1","text":"a","concat-ref":"1","concat-part":"1","concat-total":"1"}"#,
                &["1: «a»"],
            ),
        ],
        push_answer: OK,
    })
    .await;
}

#[tokio::test]
async fn infobip() {
    check(Case {
        file: include_str!("../../config/gateways/infobip.toml"),
        host: "xxxxxx.api.infobip.com",
        line: "POST /sms/2/text/advanced",
        headers: &[
            ("content-type", "application/json"),
            ("authorization", "App the-secret"),
        ],
        body: format!(
            r#"{{"messages":[{{"from":"15005550006","destinations":[{{"to":"8613800138000","messageId":"ref1"}}],"text":"{TEXT}","notifyUrl":"{RECEIPTS_URL}","notifyContentType":"application/json"}}]}}"#
        ),
        answers: &[
            (
                200,
                r#"{"messages":[{"to":"41793026727","status":{"groupId":1,"groupName":"PENDING","id":26,"name":"PENDING_ACCEPTED"},"messageId":"ref1"}]}"#,
                "accepted ref1",
            ),
            (
                200,
                r#"{"messages":[{"status":{"groupId":5,"groupName":"REJECTED","id":12,"name":"REJECTED_NOT_ENOUGH_CREDITS"},"messageId":"2224685519820522881"}]}"#,
                "account REJECTED_NOT_ENOUGH_CREDITS",
            ),
            (
                200,
                r#"{"messages":[{"status":{"name":"REJECTED_INVALID_DESTINATION"}}]}"#,
                "refused REJECTED_INVALID_DESTINATION",
            ),
            (
                200,
                r#"{"messages":[{"status":{"name":"REJECTED_DESTINATION"}}]}"#,
                "refused REJECTED_DESTINATION",
            ),
            (
                200,
                r#"{"messages":[{"status":{"groupName":"REJECTED","id":18,"name":"REJECTED_DESTINATION_NOT_REGISTERED"}}]}"#,
                "account REJECTED_DESTINATION_NOT_REGISTERED",
            ),
            (
                200,
                r#"{"messages":[{"status":{"name":"REJECTED_FLOODING_FILTER"}}]}"#,
                "temporary REJECTED_FLOODING_FILTER",
            ),
            // It was sent before, under the same reference.
            (
                200,
                r#"{"messages":[{"status":{"name":"REJECTED_DUPLICATE_MESSAGE_ID"}}]}"#,
                "in doubt REJECTED_DUPLICATE_MESSAGE_ID",
            ),
            (
                401,
                r#"{"requestError":{"serviceException":{"messageId":"UNAUTHORIZED","text":"Invalid login details"}}}"#,
                "account UNAUTHORIZED",
            ),
            (
                429,
                r#"{"requestError":{"serviceException":{"messageId":"TOO_MANY_REQUESTS"}}}"#,
                "throttled TOO_MANY_REQUESTS",
            ),
            (200, "{}", "in doubt http_200"),
        ],
        receipts: &[
            (
                "",
                r#"{"results":[{"bulkId":"b","messageId":"ref1","to":"41793026727","status":{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"},"error":{"groupId":0,"id":0,"name":"NO_ERROR","permanent":false}},
                    {"messageId":"ref2","status":{"groupName":"UNDELIVERABLE","name":"UNDELIVERABLE_NOT_DELIVERED"},"error":{"name":"EC_UNKNOWN_SUBSCRIBER","permanent":true}},
                    {"messageId":"ref3","status":{"name":"EXPIRED_EXPIRED"},"error":{"name":"EC_ABSENT_SUBSCRIBER"}},
                    {"messageId":"ref4","status":{"groupName":"DELIVERED","name":"DELIVERED_TO_OPERATOR"}}]}"#,
                &[
                    "reference=ref1 code=NO_ERROR delivered",
                    "reference=ref2 code=EC_UNKNOWN_SUBSCRIBER dead number",
                    "reference=ref3 code=EC_ABSENT_SUBSCRIBER undelivered",
                ],
            ),
            ("", r#"{"results":[]}"#, &[]),
            ("", "{}", &[r#"Missing("entries")"#]),
        ],
        replies: &[
            (
                "",
                r#"{"results":[{"messageId":"817790313235066447","from":"385916242493","to":"385921004026","text":"QUIZ Correct answer is Paris","cleanText":"Correct answer is Paris","keyword":"QUIZ","receivedAt":"2016-10-06T09:28:39.220+0000","smsCount":1}],"messageCount":1,"pendingMessageCount":0}"#,
                &["385916242493: «QUIZ Correct answer is Paris» id=817790313235066447 at=1475746119220"],
            ),
            ("", r#"{"results":[{"from":"1"}]}"#, &[r#"Missing("text")"#]),
        ],
        push_answer: OK,
    })
    .await;
}

#[tokio::test]
async fn clicksend() {
    check(Case {
        file: include_str!("../../config/gateways/clicksend.toml"),
        host: "rest.clicksend.com",
        line: "POST /v3/sms/send",
        headers: &[
            ("content-type", "application/json"),
            ("authorization", "Basic dGhlLWlkOnRoZS1zZWNyZXQ="),
        ],
        body: format!(
            r#"{{"messages":[{{"source":"fieldworkd","from":"+15005550006","to":"+8613800138000","body":"{TEXT}","custom_string":"ref1"}}]}}"#
        ),
        answers: &[
            (
                200,
                r#"{"http_code":200,"response_code":"SUCCESS","data":{"messages":[{"to":"+61411111111","message_id":"BF7AD270-0DE2-418B-B606-71D527D9C1AE","message_parts":1,"status":"SUCCESS"}]}}"#,
                "accepted BF7AD270-0DE2-418B-B606-71D527D9C1AE",
            ),
            // The request is a success, the message is not.
            (
                200,
                r#"{"response_code":"SUCCESS","data":{"messages":[{"message_id":"1EF2D909","status":"COUNTRY_NOT_ENABLED"}]}}"#,
                "account COUNTRY_NOT_ENABLED",
            ),
            (
                200,
                r#"{"response_code":"SUCCESS","data":{"messages":[{"status":"INVALID_RECIPIENT"}]}}"#,
                "refused INVALID_RECIPIENT",
            ),
            (
                200,
                r#"{"response_code":"SUCCESS","data":{"messages":[{"status":"THROTTLED"}]}}"#,
                "deferred THROTTLED",
            ),
            (
                200,
                r#"{"response_code":"SUCCESS","data":{"messages":[{"status":"SOMETHING_NEW"}]}}"#,
                "in doubt SOMETHING_NEW",
            ),
            (401, r#"{"response_code":"UNAUTHORIZED"}"#, "account UNAUTHORIZED"),
            (429, r#"{"response_code":"TOO_MANY_REQUESTS"}"#, "throttled TOO_MANY_REQUESTS"),
            (500, r#"{"response_code":"INTERNAL_SERVER_ERROR"}"#, "in doubt INTERNAL_SERVER_ERROR"),
        ],
        receipts: &[
            (
                "",
                "timestamp_send=1442381791&timestamp=1442381791&message_id=31BC271B&status_code=201&status_text=Success%3A+Message+received+on+handset.&error_code=&error_text=&custom_string=ref1&message_type=sms",
                &["reference=ref1 id=31BC271B delivered"],
            ),
            (
                "",
                "message_id=31BC271B&status_code=301&error_code=27&custom_string=ref1",
                &["reference=ref1 id=31BC271B code=27 undelivered"],
            ),
            ("", "message_id=31BC271B&status_code=200", &[]),
            ("", "message_id=31BC271B", &[r#"Missing("state")"#]),
        ],
        replies: &[
            (
                "",
                "timestamp=1436174407&from=%2B61411111111&body=STOP&original_body=hi&original_message_id=C557&to=%2B61422222222&custom_string=ref1&message_id=C558&_keyword=stop",
                &["+61411111111: «STOP» id=C558 at=1436174407000"],
            ),
            ("", "body=STOP", &[r#"Missing("from")"#]),
        ],
        push_answer: OK,
    })
    .await;
}

#[tokio::test]
async fn aws() {
    check(Case {
        file: include_str!("../../config/gateways/aws.toml"),
        host: "sms-voice.eu-west-1.amazonaws.com",
        line: "POST /",
        headers: &[
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-date", "20260302T013000Z"),
            ("x-amz-target", "PinpointSMSVoiceV2.SendTextMessage"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=the-id/20260302/eu-west-1/sms-voice/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=79a9edecee22c5003804a109c087d53ce09a8f21ed984c64c1f2f569d013412a",
            ),
        ],
        body: format!(
            r#"{{"DestinationPhoneNumber":"+8613800138000","OriginationIdentity":"+15005550006","MessageBody":"{TEXT}","MessageType":"TRANSACTIONAL","ConfigurationSetName":"fieldwork","Context":{{"reference":"ref1"}}}}"#
        ),
        answers: &[
            (200, r#"{"MessageId":"862a8790-60c0"}"#, "accepted 862a8790-60c0"),
            (
                400,
                r#"{"__type":"ConflictException","Message":"…","Reason":"DESTINATION_PHONE_NUMBER_OPTED_OUT","ResourceType":"opted-out-number"}"#,
                "opted out DESTINATION_PHONE_NUMBER_OPTED_OUT",
            ),
            (
                400,
                r#"{"__type":"com.amazonaws.sms#ThrottlingException","Message":"Rate exceeded"}"#,
                "throttled ThrottlingException",
            ),
            (
                400,
                r#"{"__type":"ServiceQuotaExceededException","Reason":"MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"}"#,
                "account MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT",
            ),
            (400, r#"{"__type":"UnrecognizedClientException"}"#, "account UnrecognizedClientException"),
            (400, r#"{"__type":"ValidationException"}"#, "temporary ValidationException"),
            (500, r#"{"__type":"InternalServerException"}"#, "in doubt InternalServerException"),
            (200, "{}", "in doubt http_200"),
        ],
        receipts: &[
            (
                "",
                r#"{"Type":"Notification","MessageId":"n","Message":"{\"eventType\":\"TEXT_DELIVERED\",\"isFinal\":true,\"messageId\":\"862a8790\",\"messageStatus\":\"DELIVERED\",\"context\":{\"reference\":\"ref1\"}}"}"#,
                &["reference=ref1 id=862a8790 code=TEXT_DELIVERED delivered"],
            ),
            (
                "",
                r#"{"Type":"Notification","Message":"{\"eventType\":\"TEXT_CARRIER_UNREACHABLE\",\"messageId\":\"862a8790\",\"context\":{\"reference\":\"ref1\"}}"}"#,
                &["reference=ref1 id=862a8790 code=TEXT_CARRIER_UNREACHABLE undelivered"],
            ),
            // Accepted by the carrier.
            (
                "",
                r#"{"Message":"{\"eventType\":\"TEXT_SUCCESSFUL\",\"messageId\":\"862a8790\"}"}"#,
                &[],
            ),
            (
                "",
                r#"{"Type":"SubscriptionConfirmation","Message":"You have chosen to subscribe","SubscribeURL":"https://sns"}"#,
                &[r#"Form("JSON")"#],
            ),
        ],
        replies: &[
            // As printed in the user guide.
            (
                "",
                r#"{"Message":"{\"originationNumber\":\"+14255550100\",\"messageBody\":\"offers\",\"inboundMessageId\":\"cae173d2\",\"messageKeyword\":\"offers\",\"destinationNumber\":\"+14255550199\"}"}"#,
                &["+14255550100: «offers» id=cae173d2"],
            ),
            ("", r#"{"Message":"{}"}"#, &[r#"Missing("from")"#]),
        ],
        push_answer: OK,
    })
    .await;
}
