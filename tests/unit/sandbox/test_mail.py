"""The mail server and the webhook keep what they are sent."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import httpx

from support.ports import free_ports

from .conftest import sandbox_service


def test_mail_and_webhook(data: Path):
    port, smtp_port = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    service = sandbox_service(["mail", "--port", str(port), "--smtp-port", str(smtp_port)], {}, data / "mail.log")
    try:
        service.start().wait_for_answer(f"{url}/_live")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@x.example", "b@x.example", "Grüße, run 1"
        message.set_content("plain")
        message.add_alternative("<p>HTML: äöü</p>", subtype="html")
        with smtplib.SMTP("127.0.0.1", smtp_port, timeout=10) as client:
            client.send_message(message)
        httpx.post(f"{url}/webhook", json={"text": "hello"}).raise_for_status()

        (kept,) = httpx.get(f"{url}/messages").json()
        assert (kept["from"], kept["to"], kept["subject"]) == ("a@x.example", ["b@x.example"], "Grüße, run 1")
        assert (kept["body"].strip(), kept["tls"]) == ("<p>HTML: äöü</p>", False)
        assert httpx.get(f"{url}/webhook").json() == [{"text": "hello"}]
        assert httpx.delete(f"{url}/messages").json() == []
    finally:
        service.stop()
