"""Metrics as a scraper reads them, under the names that the documents promise; and what a node says of itself."""

import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from server import ROOT, Server, Vault, free_port

# Counted every ten minutes.
LATER = {"vault_token_count", "vault_expire_num_leases"}
LINE = re.compile(
    r'# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter|summary|histogram))|[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)+\})? (NaN|[0-9.]+)'
)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A vault with an open port for metrics."""
    port = free_port()
    with Server(tmp_path_factory.mktemp("metrics"), SECRETHUB_METRICS_LISTEN=f"127.0.0.1:{port}") as server:
        vault = Vault(server)
        vault.metrics = f"http://127.0.0.1:{port}/metrics"
        yield vault


def read(text: str) -> dict:
    """Families by name; each line must be one that the format has, and each family stand there once."""
    bad = [line for line in text.splitlines() if not LINE.fullmatch(line)]
    assert bad == [] and text.endswith("\n"), bad
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), names
    assert all(family.documentation for family in families)
    return {family.name: family for family in families}


def value(families: dict, name: str, suffix: str = "") -> float:
    """The one sample of a family."""
    (sample,) = [sample for sample in families[name].samples if sample.name == name + suffix and "quantile" not in sample.labels]
    return sample.value


def test_every_promised_name_is_told(house):
    house.ask("GET", "secret/data/hunter2")
    text = requests.get(house.metrics, timeout=30).text
    families = read(text)
    docs = (ROOT / "docs/metrics.md").read_text()
    promised = {name.removesuffix("_total") for name in re.findall(r"`((?:vault|process|secrethub)_[a-z_]+)`", docs)}
    assert {name.removesuffix("_total") for name in families} == promised - LATER
    assert "hunter2" not in text


def test_figures_are_true(house):
    before = read(requests.get(house.metrics, timeout=30).text)
    for _ in range(10):
        house.ask("GET", "secret/data/none")
    after = read(requests.get(house.metrics, timeout=30).text)
    for name in ("vault_core_handle_request", "vault_audit_log_request"):
        assert value(after, name, "_count") == value(before, name, "_count") + 10, name
    quantiles = [sample for sample in after["vault_core_handle_request"].samples if "quantile" in sample.labels]
    assert len(quantiles) == 3 and all(sample.value > 0 for sample in quantiles)
    assert value(after, "vault_core_unsealed") == value(after, "vault_core_active") == 1
    assert after["vault_core_unsealed"].samples[0].labels == {"cluster": "secrethub"}
    assert value(after, "vault_runtime_alloc_bytes") > 1 << 20
    assert value(after, "vault_core_handle_login_request", "_count") == 0


def test_three_ways_to_the_same(house):
    text = house.ask("GET", "sys/metrics?format=prometheus")
    told = house.ask("GET", "sys/metrics").json()
    assert text.headers["Content-Type"].startswith("text/plain")
    names = {row["Name"] for kind in ("Gauges", "Counters", "Samples") for row in told[kind]}
    assert {name.replace(".", "_").removesuffix("_total") for name in names} == {
        name.removesuffix("_total") for name in read(text.text)
    }
    assert house.ask("GET", "sys/metrics?format=xml").status_code == 400
    assert house.ask("GET", "sys/metrics", token="").status_code == 403
    assert house.ask("GET", "sys/metrics", headers={"X-Vault-Wrap-TTL": "60"}).status_code == 400


def test_a_node_tells_of_itself(house):
    facts = house.ask("GET", "sys/host-info").json()["data"]
    assert facts["memory"]["total"] > 0 and facts["cpu"] and facts["host"]["hostname"] and facts["host"]["os"] == "linux"
    flying = house.ask("GET", "sys/in-flight-req?secret=hunter2").json()
    (own,) = flying.values()
    assert (own["request_path"], own["request_method"]) == ("/v1/sys/in-flight-req", "GET")
    assert own["client_remote_address"].startswith("127.0.0.1:")


def test_the_log_is_turned_up_and_down(house):
    def noisy() -> bool:
        found = house.ask("GET", "secret/data/none").headers["X-Request-Id"]
        return found in house.server.log()

    assert not noisy()
    assert house.ask("PUT", "sys/loggers/http", json={"level": "debug"}).status_code == 204
    assert house.ask("GET", "sys/loggers").json()["data"]["http"] == "debug"
    assert noisy()
    assert house.ask("DELETE", "sys/loggers").status_code == 204
    assert not noisy()
    assert house.token not in house.server.log()
