"""A mail server with the sign-ins that smtp-server lacks: sasl-mail.py PORT FILE. What it sees goes into FILE, line by line."""
import base64
import signal
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, auth_mechanism

PORT, FILE = int(sys.argv[1]), sys.argv[2]


def note(line):
    with open(FILE, "a", encoding="utf-8") as seen:
        seen.write(line.replace("\x01", "^A") + "\n")


class Server(SMTP):
    async def said(self, mechanism, args):
        if len(args) < 2:
            answer = await self.challenge_auth("", log_client_response=False)
            text = answer.decode() if isinstance(answer, bytes) else ""
        else:
            text = "" if args[1] == "=" else base64.b64decode(args[1]).decode()
        note(f"{mechanism} {text}".strip())
        return text

    @auth_mechanism("OAUTHBEARER")
    async def auth_OAUTHBEARER(self, server, args):
        text = await self.said("OAUTHBEARER", args)
        if "\x01auth=Bearer good\x01" in text:
            return AuthResult(success=True, auth_data="OAUTHBEARER")
        answer = await self.challenge_auth('{"status":"invalid_token"}')
        note(f"acknowledged {answer.decode()}" if isinstance(answer, bytes) else "not acknowledged")
        return AuthResult(success=False, handled=False)

    @auth_mechanism("EXTERNAL")
    async def auth_EXTERNAL(self, server, args):
        await self.said("EXTERNAL", args)
        return AuthResult(success=True, auth_data="EXTERNAL")

    @auth_mechanism("ANONYMOUS")
    async def auth_ANONYMOUS(self, server, args):
        await self.said("ANONYMOUS", args)
        return AuthResult(success=True, auth_data="ANONYMOUS")


class Handler:
    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            note(f"to {address}")
        return "250 taken"


class Listener(Controller):
    def factory(self):
        return Server(self.handler, auth_require_tls=False, auth_required=True, hostname="localhost")


listener = Listener(Handler(), hostname="127.0.0.1", port=PORT)
listener.start()
signal.sigwait({signal.SIGTERM, signal.SIGINT})
listener.stop()
