"""Signatures of files by OpenSSH: ``ssh-keygen -Y``, with the keys that people have."""

import shutil
import subprocess
from pathlib import Path

from faceage_bio.core.errors import RunError

NAMESPACE = "faceage-bio"


def sign_file(path: Path, key: Path) -> Path:
    """Sign a file with an OpenSSH key; the signature lies beside it.

    Raises
    ------
    RunError
        No ssh-keygen, or a key that cannot sign.
    """
    signature = path.with_name(f"{path.name}.sig")
    signature.unlink(missing_ok=True)
    done = _ssh_keygen("sign", "-f", str(key), str(path))
    if done.returncode:
        raise RunError(
            f"{key}: cannot sign ({done.stderr.strip()}). Expected a private OpenSSH key, or a public one whose private one an agent holds. Check the path."
        )
    return signature


def check_signature(path: Path, site: str, allowed_signers: Path) -> None:
    """Refuse a file that the site did not sign as it is.

    Parameters
    ----------
    allowed_signers : lines of OpenSSH, ``north ssh-ed25519 AAAA...``

    Raises
    ------
    RunError
        No signature beside it, of another, of another file, or no ssh-keygen.
    """
    signature = path.with_name(f"{path.name}.sig")
    if not signature.is_file():
        raise RunError(
            f"{signature}: no such file. Expected the signature of {path.name}. Ask the site for it."
        )
    done = _ssh_keygen(
        "verify", "-f", str(allowed_signers), "-I", site, "-s", str(signature), content=path.read_bytes()
    )
    if done.returncode:
        raise RunError(
            f"{path}: not as {site} signed it ({done.stderr.strip() or done.stdout.strip()}). Expected a signature of a key that {allowed_signers} lists for {site}. "
            "Ask the site for the file and its key again, by another way."
        )


def _ssh_keygen(*arguments: str, content: bytes | None = None) -> subprocess.CompletedProcess[str]:
    if shutil.which("ssh-keygen") is None:
        raise RunError("ssh-keygen: not found. Expected OpenSSH 8.2 or later. Install openssh-client.")
    command, *rest = arguments
    done = subprocess.run(
        ["ssh-keygen", "-Y", command, "-n", NAMESPACE, *rest], input=content, capture_output=True
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
