"""`clusterd dashboards deploy`: makes the dashboard in Grafana what this version's is.

By Grafana's "Dashboard HTTP API": one is told by its uid, `overwrite` replaces what is there, and without `folderUid` a
dashboard would be moved to the root.
"""

# ruff: noqa: T201 - a command prints

from http import HTTPStatus
from typing import Any, Final

from sploot_clusterd import __version__
from sploot_clusterd.dashboards.model import UID, dashboard
from sploot_clusterd.errors import ServiceError
from sploot_clusterd.json_service import Answer, JsonService, variable

_OF_GRAFANA: Final = ("id", "version")
"""What Grafana writes into a dashboard."""
_MENDS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "GRAFANA_API_TOKEN is none of its tokens, or has expired: make one for a service account",
    HTTPStatus.FORBIDDEN: "the service account may not do that: give it the role Editor, or dashboards:read, "
    "dashboards:create and dashboards:write",
    HTTPStatus.NOT_FOUND: "there is no such API: does GRAFANA_URL lead to Grafana, with its path if it has one?",
    HTTPStatus.PRECONDITION_FAILED: "it keeps the one that is there: is it provisioned from a file, or a plugin's?",
}


def deploy(*, dry_run: bool, runbooks: str | None) -> int:
    """Raises ConfigError where a variable is missing, ServiceError where Grafana does not do it."""
    grafana = JsonService(
        "Grafana",
        variable("GRAFANA_URL", "the URL of Grafana, as in https://grafana.internal"),
        "GRAFANA_URL",
        variable("GRAFANA_API_TOKEN", "a token of a service account that may write dashboards"),
    )
    there, folder = _there(grafana)
    runbooks = runbooks or _runbooks(there)
    wanted = dashboard(runbooks) if runbooks else dashboard()
    where = f"{grafana.url}/d/{UID}"
    if there is not None and _own(there) == _own(wanted):
        print(f"{where} is as it should be: nothing to do")
        return 0
    if dry_run:
        print(f"{where} would be {'made' if there is None else 'replaced'}: {len(wanted['panels'])} panels and rows")
        return 0
    version = _publish(grafana, wanted, folder)
    print(f"{where} {'made' if there is None else 'replaced'}: version {version}")
    return 0


def _there(grafana: JsonService) -> tuple[dict[str, Any] | None, str]:
    """The dashboard that Grafana has, and the uid of its folder ('': the root)."""
    answer = grafana.ask("GET", f"/api/dashboards/uid/{UID}")
    if answer.status == HTTPStatus.NOT_FOUND and isinstance(answer.body, dict) and "message" in answer.body:
        return None, ""
    match answer:
        case Answer(HTTPStatus.OK, {"dashboard": dict(found), "meta": dict(meta)}):
            return found, str(meta.get("folderUid") or "")
    raise _refusal(grafana, answer)


def _publish(grafana: JsonService, wanted: dict[str, Any], folder: str) -> int:
    """The version that it has become."""
    body = {"dashboard": wanted, "overwrite": True, "message": f"clusterd {__version__}"}
    if folder:
        body["folderUid"] = folder
    match answer := grafana.ask("POST", "/api/dashboards/db", body):
        case Answer(HTTPStatus.OK, {"status": "success", "version": int(version)}):
            return version
    raise _refusal(grafana, answer)


def _refusal(grafana: JsonService, answer: Answer) -> ServiceError:
    told = answer.body.get("message") if isinstance(answer.body, dict) else None
    mend = _MENDS.get(answer.status, "its log may say more")
    return ServiceError(
        f"Grafana at {grafana.url} answers {answer.status} ({told or answer.text or 'nothing'}): {mend}"
    )


def _own(model: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in model.items() if name not in _OF_GRAFANA}


def _runbooks(there: dict[str, Any] | None) -> str | None:
    """What somebody has set there, so that a later deployment without the option leaves it."""
    match there:
        case {"templating": {"list": list(variables)}}:
            for each in variables:
                if isinstance(each, dict) and each.get("name") == "runbooks" and isinstance(each.get("query"), str):
                    return str(each["query"])
    return None
