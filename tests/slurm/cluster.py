"""A SLURM of one node, from Debian's packages, for as long as the tests need it.

Everything lies in one folder, nothing under /etc is read or written, and no daemon outlives the tests: each is a
child process that the kernel ends with its parent. Two of the node's GPUs are pretended: SLURM hands them out, but
nothing is behind them.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PACKAGES = "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge"
DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr", "sshare")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # Debian's daemons are not on a user's PATH

# Without control groups, a step that takes more memory than it asked for is ended by SLURM's own look at it, each second.
# The node claims more than the machine has, so that the rules' own threads and memory are what is asked for.
# Without accounting sacct knows nothing; finished jobs stay in squeue and scontrol for MinJobAge seconds.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
ReturnToService=2
InactiveLimit=0
KillWait=2
MinJobAge=86400
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 CoresPerSocket=16 RealMemory=64000 Gres=gpu:pretended:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=1-0 State=UP
PartitionName=gpu Nodes={host} MaxTime=1-0 State=UP
"""


def missing_programs() -> list[str]:
    """The programs of SLURM and munge that are not installed; sacct and its like are not needed."""
    return [name for name in (*DAEMONS, *CLIENTS[:6]) if not shutil.which(name, path=PATH)]


@dataclass(frozen=True)
class Job:
    """What the controller knows of a job, under SLURM's own names."""

    fields: dict[str, str]

    @property
    def number(self) -> str:
        return self.fields["JobId"]

    @property
    def state(self) -> str:
        return self.fields["JobState"]

    @property
    def rule(self) -> str:
        """The rule, or the name of its group and the rules in it, which snakemake writes into the comment."""
        return re.sub(r"^rule_|_wildcards_.*$", "", self.fields["Comment"])


@dataclass(frozen=True)
class Cluster:
    """A running SLURM; ``environment`` is what a command needs to reach it."""

    folder: Path
    environment: dict[str, str]

    def call(self, *command: str) -> str:
        """What a client program prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def jobs(self) -> list[Job]:
        """All jobs since the start, finished ones too, oldest first."""
        lines = self.call("scontrol", "--details", "--oneliner", "show", "job").splitlines()
        jobs = [
            Job(dict(re.findall(r"(\S+?)=(.*?) *(?= [\w:/]+=|$)", line)))
            for line in lines
            if "JobId=" in line
        ]
        return sorted(jobs, key=lambda job: int(job.number))

    def active(self) -> list[Job]:
        return [job for job in self.jobs() if job.state in ("PENDING", "RUNNING", "COMPLETING")]


def wait_until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Ask again and again, and raise TimeoutError if it does not come true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:.0f} seconds still not: {what}")
        time.sleep(0.2)


def free_ports(n: int) -> list[int]:
    """Ports that nothing listens on at this moment."""
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def write_settings(folder: Path) -> Cluster:
    """Key, configuration, pretended GPUs, and client programs that find the configuration."""
    host = socket.gethostname().split(".")[0]
    controller_port, node_port = free_ports(2)
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    conf = folder / "slurm.conf"
    conf.write_text(
        SLURM_CONF.format(
            folder=folder, host=host, user=pwd.getpwuid(os.getuid()).pw_name,
            controller_port=controller_port, node_port=node_port,
        )
    )  # fmt: skip
    # SLURM wants device files, and does not look what they do
    for number in range(2):
        (folder / f"gpu{number}").symlink_to("/dev/null")
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu Type=pretended File={folder}/gpu[0-1]\n")
    if slurm_version() >= (23, 11):
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    # a program and not a variable: inside a job the executor plugin removes SLURM_CONF before it calls srun
    for name in CLIENTS:
        if real := shutil.which(name, path=PATH):
            wrapper = folder / "bin" / name
            wrapper.write_text(f'#!/bin/sh\nexport SLURM_CONF={conf}\nexec {real} "$@"\n')
            wrapper.chmod(0o755)
    # this may itself be a job of another SLURM
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return Cluster(folder, environment | {"PATH": f"{folder / 'bin'}:{PATH}"})


def slurm_version() -> tuple[int, ...]:
    program = shutil.which("slurmctld", path=PATH)
    printed = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", printed)[:2])


@contextmanager
def running_slurm(folder: Path) -> Iterator[Cluster]:
    """Start SLURM in an empty folder; on leaving, its jobs are cancelled and its daemons ended.

    Raises
    ------
    TimeoutError
        A daemon does not come up; its own words are in the folder's ``*.log``.
    """
    cluster = write_settings(folder)
    socket_file = folder / "munge.socket"
    commands = {
        "munged": [
            "--foreground", "--force", f"--socket={socket_file}", f"--key-file={folder / 'munge.key'}",
            f"--pid-file={folder / 'munged.pid'}", f"--seed-file={folder / 'munged.seed'}", f"--log-file={folder / 'munged.log'}",
        ],
        "slurmctld": ["-D", "-f", str(folder / "slurm.conf")],
        "slurmd": ["-D", "-f", str(folder / "slurm.conf")],
    }  # fmt: skip
    started: list[subprocess.Popen] = []

    def start(name: str) -> None:
        program = shutil.which(name, path=PATH)
        with (folder / f"{name}.out.log").open("wb") as log:
            daemon = ["setpriv", "--pdeathsig", "TERM", program, *commands[name]]
            started.append(
                subprocess.Popen(
                    daemon, env=cluster.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            )

    def answers(*command: str) -> bool:
        done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True)
        return done.returncode == 0 and "DOWN" not in done.stdout

    try:
        start("munged")
        wait_until(socket_file.exists, "munged listens")
        start("slurmctld")
        wait_until(lambda: answers("scontrol", "ping"), "slurmctld answers")
        start("slurmd")
        wait_until(lambda: "idle" in cluster.call("sinfo", "-h", "-o", "%T"), "the node is idle")
        yield cluster
    finally:
        if len(started) == len(commands):
            subprocess.run(["scancel", "--user", str(os.getuid())], env=cluster.environment, check=False)
            with suppress(TimeoutError, subprocess.CalledProcessError):  # the daemons end all the same
                wait_until(lambda: not cluster.active(), "all jobs ended", 20)
        for daemon in reversed(started):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
