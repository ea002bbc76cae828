"""The mail server and the webhook keep what they are sent."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import httpx

from .conftest import Service, free_port, responds


def test_mail_and_webhook(data: Path):
    port = free_port(together=2)
    url, smtp_port = f"http://127.0.0.1:{port}", port + 1
    service = Service(["mail", "--port", str(port), "--smtp-port", str(smtp_port)], {}, data / "mail.log")
    try:
        service.start().wait_until(lambda: responds(f"{url}/_live"), "the mailbox answers")
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
