"""What the providers' official SDKs send, for tests/gateways.rs to compare with.

Points each SDK at a recorder on loopback, lets it send what the test describes, and prints the recorded requests as JSON.
"""

import http.server
import json
import threading

from alibabacloud_dysmsapi20170525 import models as alibaba
from alibabacloud_dysmsapi20170525.client import Client as AlibabaClient
from alibabacloud_tea_openapi.models import Config as AlibabaConfig
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models as tencent
from tencentcloud.sms.v20210111.sms_client import SmsClient
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client as TwilioClient

recorded = []
ANSWER = json.dumps({"Code": "OK", "Response": {"RequestId": "R"}, "sid": "SM1", "status": "queued", "messages": []}).encode()


class Recorder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        recorded.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
        self.send_response(201 if "Messages.json" in self.path and self.command == "POST" else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
threading.Thread(target=server.serve_forever, daemon=True).start()
loopback = f"127.0.0.1:{server.server_port}"


class Loopback(TwilioHttpClient):
    def request(self, method, url, *args, **kwargs):
        return super().request(method, url.replace("https://api.twilio.com", f"http://{loopback}"), *args, **kwargs)


client = AlibabaClient(AlibabaConfig(access_key_id="the-id", access_key_secret="the-secret", endpoint=loopback, protocol="HTTP"))
client.send_sms(
    alibaba.SendSmsRequest(
        phone_numbers="13800138000",
        sign_name="质量协会",
        template_code="SMS_1",
        template_param='{"name":"王 小*明~","code":"abc123"}',
        out_id="ref1",
    )
)
client.send_batch_sms(
    alibaba.SendBatchSmsRequest(
        phone_number_json='["13800138000","13800138001"]',
        sign_name_json='["质量协会","质量协会"]',
        template_code="SMS_1",
        template_param_json='[{"name":"王 小*明~","code":"abc123"},{"name":"王 小*明~","code":"abc123"}]',
        out_id="batch-ref1",
    )
)
client.query_send_details(alibaba.QuerySendDetailsRequest(phone_number="13800138000", send_date="20260302", page_size=50, current_page=1))

profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=loopback))
client = SmsClient(Credential("the-id", "the-secret"), "ap-guangzhou", profile)
for numbers, context in ((["+8613800138000"], "ref1"), (["+8613800138000", "+8613800138001"], "")):
    request = tencent.SendSmsRequest()
    request.from_json_string(
        json.dumps(
            {
                "PhoneNumberSet": numbers,
                "SmsSdkAppId": "1400",
                "SignName": "质量协会",
                "TemplateId": "77",
                "TemplateParamSet": ["王 小*明~", "abc123"],
                "SessionContext": context,
            }
        )
    )
    client.SendSms(request)
request = tencent.PullSmsSendStatusByPhoneNumberRequest()
begin = 1772415000
request.from_json_string(
    json.dumps({"BeginTime": begin - 60, "EndTime": begin + 3600, "Offset": 0, "Limit": 100, "PhoneNumber": "+8613800138000", "SmsSdkAppId": "1400"})
)
client.PullSmsSendStatusByPhoneNumber(request)

client = TwilioClient("the-id", "the-secret", http_client=Loopback())
text = "【质量协会】王 小*明~您好，请评价山海：https://x.cn/i/abc123 拒收请回复R"
client.messages.create(to="+8613800138000", from_="+15005550006", body=text, status_callback="https://x.cn/hooks/g/s/receipts?reference=ref1")

form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+8613800138000", "Body": "您 好&="}
url = "https://x.cn/hooks/g/s/receipts?reference=ref1"
validator = RequestValidator("the-secret")
signatures = {name: validator.compute_signature(url, form, name) for name in ("HMAC_SHA1", "HMAC_SHA256")}
print(json.dumps({"requests": recorded, "twilio": {"url": url, "form": form, "signatures": signatures}}))
