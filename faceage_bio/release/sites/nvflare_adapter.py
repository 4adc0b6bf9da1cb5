"""The rounds of `sites.rounds` over NVIDIA FLARE: it carries requests out and answers back, and nothing else.

NVFlare (extra ``federated``) brings the connections: hospitals dial out with certificates of a start-up kit. What a hospital answers is
decided by `rounds.answer` at the hospital, as with files: its minimum, its count of answers, its log.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nvflare.apis.controller_spec import Task
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal
from nvflare.job_config.api import FedJob

from faceage_bio.core.errors import FaceAgeBioError, RunError
from faceage_bio.core.settings.settings_acceleration import Acceleration
from faceage_bio.core.settings.settings_study import Release
from faceage_bio.core.tables import read_table, write_json, write_table
from faceage_bio.release.pseudonyms import load_key
from faceage_bio.release.sites.rounds import (
    ANSWER,
    REQUEST,
    SETTLED,
    answer,
    checked_message,
    combine,
    record_answer,
    told_to_others,
)

TASK, CONTENT, REFUSED = "faceage_bio_round", "content", "refused"


class SiteAnswers(Executor):  # type: ignore[misc]
    """At a hospital: answers requests from its own follow-up table.

    Parameters
    ----------
    follow_up, key, log : str
        Paths at the hospital, as options of ``faceage-bio site answer``; ``{site}`` in them is its name.
    model_id, definition : str
        Of its face ages.
    rounding : int
        Of counts.
    """

    def __init__(
        self,
        follow_up: str,
        key: str,
        log: str,
        model_id: str,
        definition: str = Acceleration().definition,
        rounding: int = Release().rounding,
    ) -> None:
        super().__init__()
        self.follow_up, self.key, self.log = follow_up, key, log
        self.model_id, self.definition, self.rounding = model_id, definition, rounding

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        """An answer; where there is none, its kind of reason for the coordinator, and the reason in the site's own log."""
        if task_name != TASK:
            return make_reply(ReturnCode.TASK_UNKNOWN)
        site = fl_ctx.get_identity_name()
        reply = Shareable()
        try:
            asked = checked_message(json.loads(shareable[CONTENT]), REQUEST, "the request")
            table = read_table(Path(self.follow_up.format(site=site)))
            log = Path(self.log.format(site=site))
            key = load_key(Path(self.key.format(site=site)))
            of_site = {"site": site, "model_id": self.model_id, "definition": self.definition}
            found, about = answer(asked, table, key=key, log=log, k=self.rounding, **of_site)
            record_answer(log, about)
            reply[CONTENT] = json.dumps(found)
        except FaceAgeBioError as error:
            self.log_error(fl_ctx, str(error))
            reply[REFUSED] = told_to_others(error)
        return reply


class Rounds(Controller):  # type: ignore[misc]
    """At the coordinator: sends requests until the coefficients move no more.

    Parameters
    ----------
    request : str
        The first request as JSON, see `rounds.first_request`.
    folder : str
        Where the last request and the pooled model (``estimate.tsv``) are written.
    most : int
        Rounds at most; a site answers ten.
    """

    def __init__(self, request: str, folder: str, most: int = 8) -> None:
        super().__init__()
        self.request, self.folder, self.most = request, folder, most

    def start_controller(self, fl_ctx: FLContext) -> None:
        """Nothing to prepare."""

    def stop_controller(self, fl_ctx: FLContext) -> None:
        """Nothing to tidy up."""

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        """Round after round; sites that give no sums take part with the estimate that they gave first."""
        request: Mapping[str, Any] = json.loads(self.request)
        for _ in range(self.most):
            answers, refused = self._asked(request, fl_ctx, abort_signal)
            if abort_signal.triggered:
                return
            for site, why in refused.items():
                self.log_info(fl_ctx, f"{site}: {why}")
            following, table, moved = combine(request, answers)
            write_table(table, Path(self.folder) / "estimate.tsv")
            if not following or moved < SETTLED:
                return
            write_json(following, Path(self.folder) / "request.json")
            request = following
        raise RunError(
            f"the model did not settle in {self.most} rounds. Expected a largest move below {SETTLED:g} standard errors. Look at {self.folder}/estimate.tsv."
        )

    def _asked(
        self, request: Mapping[str, Any], fl_ctx: FLContext, abort_signal: Signal
    ) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        data = Shareable()
        data[CONTENT] = json.dumps(request)
        task = Task(TASK, data=data)
        clients = self._engine.get_clients()
        self.broadcast_and_wait(
            task, fl_ctx, targets=clients, min_responses=len(clients), abort_signal=abort_signal
        )
        answers, refused = {}, {}
        for one in task.client_tasks:
            result = one.result or {}
            if CONTENT in result:
                answer_of = json.loads(result[CONTENT])
                answers[one.client.name] = checked_message(answer_of, ANSWER, one.client.name)
            else:
                refused[one.client.name] = result.get(REFUSED, "no answer")
        return answers, refused


def job(request: Mapping[str, Any], folder: Path, site: SiteAnswers, sites: list[str]) -> FedJob:
    """A job of NVFlare: for its simulator, or exported for a network that start-up kits made."""
    made = FedJob(name="faceage_bio", min_clients=len(sites))
    made.to(Rounds(json.dumps(request), str(folder)), "server")
    for name in sites:
        made.to(site, name, tasks=[TASK])
    return made
