"""Steps of a workflow, and plans of snakemake, that are forked from one process: the same commands without 1 to 2 CPU seconds of imports for each.

For the demo, studies whose results a test looks at, and dry runs. SLURM starts processes as a user's do, `faceage-bio run` under signals too.
"""

import atexit
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import psutil

# of the demo's steps all others are started by tests/slurm
NOT_ON_SLURM = ("make-demo-cohorts", "fit-demo-model", "pool-cohorts", "pool-genes", "fit-one-stage")
# what most steps import, and plans; none starts a thread before the fork
IMPORTED = (
    "faceage_bio.cli.main", "pandas", "pandera.pandas", "pyarrow.parquet", "scipy.interpolate", "scipy.stats", "snakemake.cli",
    "statsmodels.nonparametric.smoothers_lowess", "statsmodels.stats.proportion",
)  # fmt: skip
ASK = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    os.umask(mask := os.umask(0o077))
    asked = json.dumps([sys.argv[2:], os.getcwd(), mask, dict(os.environ)]).encode()
    socket.send_fds(server, [asked], [0, 1, 2])
    server.shutdown(socket.SHUT_WR)
    status = server.recv(1)  # nothing where a signal ended the step
sys.exit(status[0] if status else 1)
"""
servers: list[psutil.Process] = []


def cpu_seconds() -> float:
    """What all commands that were forked have taken."""
    return sum(
        spent.user + spent.system + spent.children_user + spent.children_system
        for spent in (one.cpu_times() for one in servers)
    )


@cache
def asking() -> list[str]:
    """The words before a command that is forked from a process, which starts here and ends with this one."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # the name of a socket is short
    (folder / "ask.py").write_text(ASK)
    command = [sys.executable, "-m", "tests.started_steps", str(folder / "socket")]
    server = subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "listening\n"
    servers.append(psutil.Process(server.pid))
    atexit.register(lambda: (server.terminate(), server.wait(), server.stdout.close()))
    return [sys.executable, "-ISE", str(folder / "ask.py"), str(folder / "socket")]


@cache
def forked() -> dict[str, str]:
    """Environment in which `faceage-bio` of a rule is forked, but for the steps that SLURM does not start as a user does."""
    words = asking()
    function = Path(words[-1]).with_name("bash.sh")
    function.write_text(
        f'faceage-bio() {{ case "$1" in {"|".join(NOT_ON_SLURM)}) command faceage-bio "$@";; '
        f'*) {shlex.join(words)} faceage-bio "$@";; esac; }}\n'
    )
    return {"BASH_ENV": str(function)}


def serve(path: str) -> None:
    """Fork for each command that comes, until a signal ends this process or it has lost the one that started it."""
    tests = os.getppid()
    for name in IMPORTED:
        __import__(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        listening.settimeout(10)
        print("listening", flush=True)
        try:
            while os.getppid() == tests:
                try:
                    asking, _ = listening.accept()
                except TimeoutError:
                    continue
                if not os.fork():
                    listening.close()
                    run_step(asking)
                asking.close()
        finally:  # of this process alone: a forked one ends within run_step
            shutil.rmtree(Path(path).parent)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def run_step(asking: socket.socket) -> None:
    """The command, as its own process would run it; its exit status goes back, and the process ends."""
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    status = 1
    try:
        asked, streams, _, _ = socket.recv_fds(asking, 1 << 20, 3)
        while part := asking.recv(1 << 20):
            asked += part
        arguments, folder, mask, environment = json.loads(asked)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.umask(mask)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        main = {"faceage-bio": "faceage_bio.cli.main", "snakemake": "snakemake.cli"}[arguments[0]]
        sys.modules[main].main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        asking.send(bytes([status & 255]))
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
