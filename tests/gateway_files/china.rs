//! Providers in China.

use reqwest::header::HeaderMap;

use super::{Case, FORM_TEXT, OK, TEXT, check, lines, open, reply_line};
use fieldworkd::adapters::sms::{Gateway, Push};

#[tokio::test]
async fn huawei() {
    check(Case {
        file: include_str!("../../config/gateways/huawei.toml"),
        host: "smsapi.cn-north-4.myhuaweicloud.com",
        line: "POST /sms/batchSendSms/v1",
        headers: &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", r#"WSSE realm="SDP",profile="UsernameToken",type="Appkey""#),
            (
                "x-wsse",
                r#"UsernameToken Username="the-id",PasswordDigest="vUNHt256kyLZ7KssGdjGLBz0oXDzsIWwdZk+OqITSQc=",Nonce="abababababababababababababababab",Created="2026-03-02T01:30:00Z""#,
            ),
        ],
        body: "from=8823040504797&to=%2B8613800138000\
            &templateId=8ff55eac1d0b478ab3c06c3c6a492300\
            &templateParas=%5B%22%E7%8E%8B%20%E5%B0%8F%2A%E6%98%8E~%22%2C%22%22%2C%22abc123%22%5D\
            &statusCallback=https%3A%2F%2Fx.cn%2Fhooks%2Fg%2Fs%2Freceipts\
            &signature=%E8%B4%A8%E9%87%8F%E5%8D%8F%E4%BC%9A&extend=ref1"
            .into(),
        answers: &[
            // As printed in the document on error codes.
            (
                200,
                r#"{"code":"000000","description":"Success","result":[{"originTo":"+8618612345678","createTime":"2018-08-06T11:59:50Z","from":"1069031221280000001","smsMsgId":"4b4b34e7-1a9e-42ac-b309-d10997148905_85496076","status":"000000"}]}"#,
                "accepted 4b4b34e7-1a9e-42ac-b309-d10997148905_85496076",
            ),
            (
                400,
                r#"{"code":"E000510","description":"see status","result":[{"status":"E200028"}]}"#,
                "temporary E200028",
            ),
            // An error with status 200 is an error.
            (200, r#"{"code":"E000510","result":[{"status":"E200030"}]}"#, "account E200030"),
            (200, r#"{"code":"000000","result":[{"status":"E200041"}]}"#, "in doubt http_200"),
            (200, r#"{"description":"Success"}"#, "in doubt http_200"),
            (401, r#"{"code":"E000101","description":"Authentication failed"}"#, "account E000101"),
            (400, r#"{"code":"E000112"}"#, "account E000112"),
            (403, "", "account http_403"),
            (503, "", "temporary http_503"),
            (500, "", "in doubt http_500"),
        ],
        receipts: &[
            // As printed in the document on status reports.
            (
                "",
                "sequence=1&total=1&orgCode=000&updateTime=2018-04-13T06%3A31%3A46Z&source=2&smsMsgId=b9d9b4fe-ad0e-4a2a-a2c7-445505b674ac_6&status=DELIVRD",
                &["id=b9d9b4fe-ad0e-4a2a-a2c7-445505b674ac_6 code=DELIVRD delivered"],
            ),
            (
                "",
                "smsMsgId=a_1&status=E200027&extend=ref1&to=%2B8613800138000",
                &["reference=ref1 id=a_1 code=E200027 undelivered"],
            ),
            ("", "smsMsgId=a_1&status=MK%3A0001", &["id=a_1 code=MK:0001 undelivered"]),
            ("", "smsMsgId=a_1&status=ACCEPTD", &[]),
            ("", "smsMsgId=a_1&status=UNKNOWN", &[]),
            ("", "smsMsgId=a_1", &[r#"Missing("state")"#]),
            ("", "status=DELIVRD", &[r#"Missing("id or reference")"#]),
        ],
        replies: &[
            (
                "",
                "smsMsgId=m1&from=%2B8613800138000&to=1069&body=%E9%80%80%E8%AE%A2&createTime=2018-02-12T15%3A30%3A20Z",
                &["+8613800138000: «退订» id=m1 at=1518449420000"],
            ),
            ("", "from=%2B8613800138000", &[r#"Missing("text")"#]),
        ],
        push_answer: OK,
    })
    .await;
}

#[tokio::test]
async fn volcengine() {
    check(Case {
        file: include_str!("../../config/gateways/volcengine.toml"),
        host: "sms.volcengineapi.com",
        line: "POST /?Action=SendSms&Version=2020-01-01",
        headers: &[
            ("content-type", "application/json"),
            ("x-date", "20260302T013000Z"),
            (
                "authorization",
                "HMAC-SHA256 Credential=the-id/20260302/cn-north-1/volcSMS/request, SignedHeaders=content-type;host;x-content-sha256;x-date, Signature=e3a2d005ea3a6e30c75a3d2e8ab52fb11dfd1d45d73280915236925ca5a7338b",
            ),
        ],
        body: r#"{"SmsAccount":"7a0b1c2d","Sign":"质量协会","TemplateID":"ST_00000000","TemplateParam":"{\"name\":\"王 小*明~\",\"subject\":\"\",\"code\":\"abc123\"}","PhoneNumbers":"+8613800138000","Tag":"ref1"}"#.into(),
        answers: &[
            (
                200,
                r#"{"ResponseMetadata":{"RequestId":"r","Action":"SendSms"},"Result":{"MessageID":["bde1b10d"]}}"#,
                "accepted bde1b10d",
            ),
            (200, r#"{"ResponseMetadata":{"Error":{"Code":"RE:0006"}}}"#, "refused RE:0006"),
            (200, r#"{"ResponseMetadata":{"Error":{"Code":"RE:0010"}}}"#, "account RE:0010"),
            (200, r#"{"ResponseMetadata":{"Error":{"Code":"RE:0011"}}}"#, "temporary RE:0011"),
            (200, r#"{"ResponseMetadata":{"Error":{"Code":"RE:0500"}}}"#, "in doubt http_200"),
            (400, r#"{"ResponseMetadata":{"Error":{"Code":"RE:0000"}}}"#, "account RE:0000"),
            (200, r#"{"ResponseMetadata":{"RequestId":"r"}}"#, "in doubt http_200"),
            (429, "", "throttled http_429"),
        ],
        receipts: &[
            (
                "",
                r#"[{"account":"200","sub_account":"1504","mobile":"188","send_time":1669171012444,"ext":"ref1","message_id":"bde1","status_code":"0","msg_count":1},
                    {"message_id":"bde2","ext":"ref2","status_code":"MK:0001"},{"ext":"ref3"}]"#,
                &[
                    "reference=ref1 id=bde1 code=0 delivered",
                    "reference=ref2 id=bde2 code=MK:0001 undelivered",
                    r#"Missing("state")"#,
                ],
            ),
            ("", "", &[r#"Form("JSON")"#]),
        ],
        replies: &[
            // As printed in the document.
            (
                "",
                r#"[{"account":"2000","sub_account":"049c","signature":"测试发送","content":"hhhhh","mobile":"18100009843","channel_type":"CN_OTP","recv_time":1651760981000,"ext":"1047"}]"#,
                &["18100009843: «hhhhh» at=1651760981000"],
            ),
            ("", r#"[{"content":"T"}]"#, &[r#"Missing("from")"#]),
        ],
        push_answer: OK,
    })
    .await;
}

#[tokio::test]
async fn yunpian() {
    check(Case {
        file: include_str!("../../config/gateways/yunpian.toml"),
        host: "sms.yunpian.com",
        line: "POST /v2/sms/single_send.json",
        headers: &[("content-type", "application/x-www-form-urlencoded;charset=utf-8")],
        body: format!(
            "apikey=the-secret&mobile=%2B8613800138000&text={FORM_TEXT}&uid=ref1\
                &callback_url=https%3A%2F%2Fx.cn%2Fhooks%2Fg%2Fs%2Freceipts"
        ),
        answers: &[
            (
                200,
                r#"{"code":0,"msg":"发送成功","count":1,"fee":0.05,"unit":"RMB","mobile":"13800138000","sid":3310228982}"#,
                "accepted 3310228982",
            ),
            (400, r#"{"http_status_code":400,"code":3,"msg":"账户余额不足"}"#, "account 3"),
            (200, r#"{"code":3}"#, "account 3"),
            (400, r#"{"code":10}"#, "refused 10"),
            (400, r#"{"code":22}"#, "deferred 22"),
            (400, r#"{"code":-5}"#, "throttled -5"),
            (400, r#"{"code":-1}"#, "account -1"),
            (400, r#"{"code":4}"#, "message 4"),
            (200, r#"{"code":999}"#, "in doubt 999"),
            (200, "{}", "in doubt http_200"),
        ],
        receipts: &[
            (
                "",
                "sms_status=%5B%7B%22sid%22%3A9527%2C%22uid%22%3A%22ref1%22%2C%22user_receive_time%22%3A%222014-03-17%2022%3A55%3A21%22%2C%22error_msg%22%3A%22DELIVRD%22%2C%22mobile%22%3A%2215205201314%22%2C%22report_status%22%3A%22SUCCESS%22%7D%2C%7B%22sid%22%3A9528%2C%22uid%22%3A%22ref2%22%2C%22error_msg%22%3A%22DB%3A0103%22%2C%22report_status%22%3A%22FAIL%22%7D%5D",
                &[
                    "reference=ref1 id=9527 code=DELIVRD delivered",
                    "reference=ref2 id=9528 code=DB:0103 undelivered",
                ],
            ),
            // Escaped twice, as the document says some will see it.
            (
                "",
                "sms_status=%255B%257B%2522sid%2522%253A1%252C%2522report_status%2522%253A%2522SUCCESS%2522%257D%255D",
                &["id=1 delivered"],
            ),
            ("", "other=1", &[r#"Missing("json_field")"#]),
            ("", "sms_status=x", &[r#"Form("JSON")"#]),
        ],
        replies: &[(
            "",
            "sms_reply=%7B%22mobile%22%3A%2215205201314%22%2C%22text%22%3A%22R%22%7D",
            &["Forged"],
        )],
        push_answer: ("text/plain", "SUCCESS"),
    })
    .await;
}

#[test]
fn yunpians_replies_are_signed_as_its_document_shows() {
    // The document's own example: the apikey is 0000.
    let gateway = open(include_str!("../../config/gateways/yunpian.toml").to_owned(), "0000");
    let json = r#"{"base_extend":"8888","extend":"01","id":"2a70c6bb4f2845da816ea1bfe5732747","mobile":"15205201314","reply_time":"2014-03-17 22:55:21","text":"收到了，谢谢！","_sign":"393d079e0a00912335adfe46f4a2e10f"}"#;
    let read = |json: &str| {
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair("sms_reply", json).finish();
        let headers = HeaderMap::new();
        let push = Push { url: "", query: "", headers: &headers, body: body.as_bytes() };
        lines(gateway.parse_replies(push), reply_line)
    };
    assert_eq!(
        read(json),
        ["15205201314: «收到了，谢谢！» id=2a70c6bb4f2845da816ea1bfe5732747 at=1395068121000"]
    );
    for forged in [
        json.replace("谢谢", "退订"),
        json.replace("15205201314", "15205201315"),
        json.replace("393d", "393e"),
        json.replace("393d079e0a00912335adfe46f4a2e10f", ""),
        json.replace("_sign", "sign"),
        json.replace("\"extend\":\"01\",", ""),
    ] {
        assert_eq!(read(&forged), ["Forged"], "{forged}");
    }
}

#[tokio::test]
async fn chuanglan() {
    check(Case {
        file: include_str!("../../config/gateways/chuanglan.toml"),
        host: "smssh1.253.com",
        line: "POST /msg/v1/send/json",
        headers: &[("content-type", "application/json")],
        body: format!(
            r#"{{"account":"the-id","password":"the-secret","msg":"{TEXT}","phone":"13800138000","report":"true","uid":"ref1"}}"#
        ),
        answers: &[
            (
                200,
                r#"{"code":"0","msgId":"24073116453300901000","time":"20240731164533","errorMsg":""}"#,
                "accepted 24073116453300901000",
            ),
            (200, r#"{"code":"107","msgId":"","errorMsg":"包含错误的手机号码"}"#, "refused 107"),
            (200, r#"{"code":"103"}"#, "throttled 103"),
            (200, r#"{"code":"102"}"#, "account 102"),
            (200, r#"{"code":"109"}"#, "account 109"),
            (200, r#"{"code":"105"}"#, "message 105"),
            (200, r#"{"code":"999"}"#, "in doubt 999"),
            (200, "<html>", "in doubt http_200"),
            (502, "", "in doubt http_502"),
        ],
        receipts: &[
            (
                "receiver=&pswd=&msgid=24073116453300901000&reportTime=2411041728&mobile=13900000000&status=DELIVRD&notifyTime=241104172820&statusDesc=%E7%9F%AD%E4%BF%A1%E5%8F%91%E9%80%81%E6%88%90%E5%8A%9F&length=1&uid=ref1",
                "",
                &["reference=ref1 id=24073116453300901000 code=DELIVRD delivered"],
            ),
            (
                "receiver=&pswd=&msgid=2&mobile=13900000000&status=MK%3A0001&uid=",
                "",
                &["id=2 code=MK:0001 undelivered"],
            ),
            ("receiver=&pswd=&mobile=1", "", &[r#"Missing("state")"#]),
        ],
        replies: &[
            (
                "receiver=&pswd=&moTime=1811190759&mobile=8613900000000&msg=%E9%80%80%E8%AE%A2&destcode=10690923",
                "",
                &["8613900000000: «退订» at=1542585540000"],
            ),
            ("receiver=&pswd=&msg=T", "", &[r#"Missing("from")"#]),
        ],
        push_answer: ("application/json", r#"{"clcode":"000000"}"#),
    })
    .await;
}
