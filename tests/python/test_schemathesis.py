"""schemathesis asks every route of /openapi.json, with fields that fit and fields that do not: no 5xx, and nothing that the
document does not say."""

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from server import Server, Vault

EXAMPLES = 5
SAYS = [status_code_conformance, content_type_conformance, response_schema_conformance]
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
# A node that is sealed says so by its health, too.
HEALTH = {"/sys/health", "/sys/health/ready"}
# It seals the node, and what comes after it finds it sealed.
SEALS = "/sys/seal"


@pytest.fixture()
def house(tmp_path):
    """A vault of the test's own: it is sealed, and its tokens are revoked."""
    with Server(tmp_path) as server:
        yield Vault(server)


def is_sealed_answer(response) -> bool:
    """The one 5xx that a sealed node gives."""
    return response.status_code == 503 and response.json().get("errors") == ["Vault is sealed"]


def ask(operation, mode, token: str, is_sealed: bool) -> None:
    """Asks one route many times."""

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def once(case):
        headers = {"X-Vault-Token": token}
        response = case.call(headers=headers, timeout=30)
        if response.status_code >= 500:
            may = is_sealed or operation.path == SEALS
            sealed = is_sealed_answer(response) or operation.path in HEALTH
            assert may and sealed, f"{response.status_code} {response.text}\n{case.as_curl_command(headers=headers)}"
        case.validate_response(response, checks=SAYS)

    once()


def faults_of(house: Vault, is_sealed: bool) -> list[str]:
    """What is wrong with which route."""
    schema = schemathesis.openapi.from_url(f"{house.url}/openapi.json")
    faults = []
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            token = "none" if is_sealed else fresh_token(house)
            try:
                ask(operation, mode, token, is_sealed)
            except hypothesis.errors.Unsatisfiable:
                pass  # There are no fields that would not fit.
            except (Exception, BaseExceptionGroup) as fault:
                faults.append(f"{operation.method} {operation.path} ({mode.value}): {explain(fault)}")
    return faults


def explain(fault: BaseException) -> str:
    """A group of failures, each in its own words."""
    parts = getattr(fault, "exceptions", None)
    return "; ".join(map(explain, parts)) if parts else f"{type(fault).__name__}: {fault}"


def fresh_token(house: Vault) -> str:
    """A token that the routes may revoke; the vault is unsealed first, if the last one sealed it."""
    house.unseal()
    return house.ask("POST", "auth/token/create", json={}).json()["auth"]["client_token"]


def test_an_unsealed_server_does_what_it_says(house):
    faults = faults_of(house, is_sealed=False)
    assert faults == [], "\n".join(faults)


def test_a_sealed_server_does_what_it_says(house):
    assert house.ask("PUT", "sys/seal").status_code == 204
    faults = faults_of(house, is_sealed=True)
    assert faults == [], "\n".join(faults)
