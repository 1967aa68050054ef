"""A timestamp server on loopback whose answers openssl makes."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

CONFIG = """
[req]
distinguished_name=dn
prompt=no
x509_extensions=v3
[dn]
CN=Test TSA
[v3]
basicConstraints=critical,CA:false
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
[tsa]
default_tsa=t
[t]
serial=serial
signer_cert=tsa.pem
certs=tsa.pem
signer_key=tsa.key
signer_digest=sha256
default_policy=1.2.3.4.1
digests=sha256,sm3
ess_cert_id_chain=no
"""


class Server:
    """A timestamp server. spoil: what it does to its answers; None answers nothing at all."""

    def __init__(self, folder: Path, days: int = 3650) -> None:
        self.folder, self.asked = folder, 0
        self.spoil: Callable[[bytes], bytes] = lambda answer: answer
        (folder / "tsa.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01")
        self._openssl(f"req -x509 -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.pem -config tsa.cnf -days {days}")
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                (folder / "q.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
                outer._openssl("ts -reply -queryfile q.tsq -config tsa.cnf -out r.tsr")
                answer = outer.spoil((folder / "r.tsr").read_bytes())
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _openssl(self, words: str) -> None:
        subprocess.run(["openssl", *words.split()], cwd=self.folder, check=True, capture_output=True)
