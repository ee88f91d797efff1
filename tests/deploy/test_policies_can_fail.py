"""Every policy is proven able to fail: by a mutated manifest that only it has to notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.deploy import code_policies as code
from tests.deploy import door_policies as doors
from tests.deploy import network_policies as network
from tests.deploy import pod_policies as pods
from tests.deploy.manifests import Manifests, Resource, render
from tests.deploy.test_manifests import POLICIES, Policy

Mutation = Callable[[Manifests], None]


def _container(manifests: Manifests, service: str) -> Resource:
    container: Resource = manifests.pod(service).containers[0]
    return container


def _security(**changed: object) -> Mutation:
    return lambda m: _container(m, "judge")["securityContext"].update(changed)


def _pod(service: str, **changed: object) -> Mutation:
    return lambda m: m.pod(service).spec.update(changed)


def _set(service: str, name: str, value: str) -> Mutation:
    return lambda m: m.get("ConfigMap", f"medvid-{service}")["data"].update({name: value})


def _spec(kind: str, name: str, **changed: object) -> Mutation:
    return lambda m: m.get(kind, name)["spec"].update(changed)


def _without(kind: str, name: str) -> Mutation:
    return lambda m: m.remove(kind, name)


def _root_by_pod(m: Manifests) -> None:
    del m.pod("scorer").spec["securityContext"]["runAsNonRoot"]


def _unbounded(m: Manifests) -> None:
    del _container(m, "ranker")["resources"]["limits"]


def _liveness_on_readiness(m: Manifests) -> None:
    _container(m, "judge")["livenessProbe"]["httpGet"]["path"] = "/readyz"


def _gateway_by_its_database(m: Manifests) -> None:
    _container(m, "gateway")["readinessProbe"]["httpGet"] = {"path": "/readyz", "port": "ops"}


def _judge_inwards(m: Manifests) -> None:
    rule = m.get("NetworkPolicy", "judge-to-provider")["spec"]["egress"][0]
    rule["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16")


def _judge_inwards_by_ipv6(m: Manifests) -> None:
    rule = m.get("NetworkPolicy", "judge-to-provider")["spec"]["egress"][0]
    rule["to"][1]["ipBlock"]["except"].remove("fc00::/7")


def _judge_without_ipv6(m: Manifests) -> None:
    m.get("NetworkPolicy", "judge-to-provider")["spec"]["egress"][0]["to"].pop()


def _judge_plain(m: Manifests) -> None:
    m.get("NetworkPolicy", "judge-to-provider")["spec"]["egress"][0]["ports"][0]["port"] = 80


def _all_to_provider(m: Manifests) -> None:
    m.get("NetworkPolicy", "judge-to-provider")["spec"]["podSelector"] = {
        "matchLabels": {"app.kubernetes.io/part-of": "medvid"}
    }


def _scorer_without_broker(m: Manifests) -> None:
    selector = m.get("NetworkPolicy", "services-to-rabbitmq")["spec"]["podSelector"]
    selector["matchExpressions"][0]["values"].remove("medvid-scorer")


def _postgres_shut(m: Manifests) -> None:
    m.get("NetworkPolicy", "postgres")["spec"]["ingress"][0]["from"].pop(0)


def _open_to_all(m: Manifests) -> None:
    m.get("NetworkPolicy", "gateway-from-door")["spec"]["ingress"] = [{"ports": [{"port": 1}]}]


def _forgotten(m: Manifests) -> None:
    m.pod("ranker").labels["app.kubernetes.io/name"] = "other"
    for policy in m.of("NetworkPolicy"):
        policy["spec"]["podSelector"].pop("matchLabels", None)
        if not policy["spec"]["podSelector"]:
            policy["spec"]["podSelector"] = {"matchLabels": {"nobody": "here"}}


def _unknown_key(m: Manifests) -> None:
    for variable in _container(m, "judge")["env"]:
        if variable["name"] == "MEDVID_JUDGE_API_KEY":
            variable["valueFrom"]["secretKeyRef"]["key"] = "token"


def _key_written_out(m: Manifests) -> None:
    _container(m, "gateway")["env"].append({"name": "MEDVID_ADMIN_KEY", "value": "1234"})


def _key_for_the_scorer(m: Manifests) -> None:
    _container(m, "scorer")["env"] += _container(m, "judge")["env"]


def _service_to_nowhere(m: Manifests) -> None:
    m.get("Service", "medvid-gateway")["spec"]["ports"][0]["targetPort"] = "web"


def _rule(m: Manifests, number: int) -> Resource:
    rule: Resource = m.get("HTTPRoute", "medvid")["spec"]["rules"][number]
    return rule


def _route_to_nowhere(m: Manifests) -> None:
    _rule(m, 1)["backendRefs"][0]["port"] = 8080


def _impatient_streams(m: Manifests) -> None:
    _rule(m, 0)["timeouts"]["request"] = "370s"


def _impatient_route(m: Manifests) -> None:
    _rule(m, 1)["timeouts"]["request"] = "60s"


def _one_rule_for_all(m: Manifests) -> None:
    m.get("HTTPRoute", "medvid")["spec"]["rules"].pop(0)


def _another_host(m: Manifests) -> None:
    m.get("Gateway", "medvid")["spec"]["listeners"][0]["hostname"] = "other.example.org"


def _door_shut(m: Manifests) -> None:
    (rule,) = m.get("NetworkPolicy", "gateway-from-door")["spec"]["ingress"]
    labels = rule["from"][0]["namespaceSelector"]["matchLabels"]
    labels["kubernetes.io/metadata.name"] = "no-such-door"


def _port_of_old(m: Manifests) -> None:
    _container(m, "scorer")["ports"][0]["containerPort"] = 9091


def _unknown_module(m: Manifests) -> None:
    _container(m, "scorer")["args"] = ["python", "-m", "services.grader"]


def _without_annotations(m: Manifests) -> None:
    del m.get("Job", "medvid-migrate")["metadata"]["annotations"]


def _unknown_command(m: Manifests) -> None:
    template = m.get("Job", "medvid-migrate")["spec"]["template"]
    template["spec"]["containers"][0]["args"] = ["medvid", "admin", "upgrade"]


def _foreign_image(m: Manifests) -> None:
    _container(m, "scorer")["image"] = "registry.example.org/scorer:1"


def _no_pre_stop(m: Manifests) -> None:
    del _container(m, "gateway")["lifecycle"]


def _impatient_start(m: Manifests) -> None:
    _container(m, "judge")["startupProbe"]["failureThreshold"] = 30


def _few_connections(m: Manifests) -> None:
    parameters = m.get("Cluster", "medvid-postgres")["spec"]["postgresql"]["parameters"]
    parameters["max_connections"] = "100"


def _trigger(kind: str, **changed: str) -> Mutation:
    def change(m: Manifests) -> None:
        for trigger in m.get("ScaledObject", "medvid-judge")["spec"]["triggers"]:
            if trigger["name"] == kind:
                trigger["metadata"].update(changed)

    return change


def _sleep_without_a_wake(m: Manifests) -> None:
    m.get("ScaledObject", "medvid-judge")["spec"]["triggers"].pop()


def _one_queue_forgotten(m: Manifests) -> None:
    m.get("ScaledObject", "medvid-scorer")["spec"]["triggers"].pop()


def _no_fallback(m: Manifests) -> None:
    del m.get("ScaledObject", "medvid-scorer")["spec"]["fallback"]


def _amount_of_tmp(m: Manifests) -> None:
    m.pod("gateway").spec["volumes"][0]["emptyDir"]["sizeLimit"] = "256Mi"


def _unsized_tmp(m: Manifests) -> None:
    m.pod("ranker").spec["volumes"][0]["emptyDir"] = {}


def _secret_with_a_value(m: Manifests) -> None:
    m.resources.append({"kind": "Secret", "metadata": {"name": "medvid-judge"}})


def _enforces_baseline(m: Manifests) -> None:
    labels = m.of("Namespace")[0]["metadata"]["labels"]
    labels["pod-security.kubernetes.io/enforce"] = "baseline"


def _operators_defaults(m: Manifests) -> None:
    spec = m.get("RabbitmqCluster", "medvid-rabbitmq")["spec"]["override"]["statefulSet"]["spec"]
    spec["template"]["spec"]["containers"] = [{"name": "rabbitmq"}]


def _token_account(m: Manifests) -> None:
    m.get("ServiceAccount", "medvid-judge")["automountServiceAccountToken"] = True


CASES: list[tuple[Policy, Mutation]] = [
    (pods.containers_are_restricted, _security(allowPrivilegeEscalation=True)),
    (pods.containers_are_restricted, _security(readOnlyRootFilesystem=False)),
    (pods.containers_are_restricted, _security(capabilities={"drop": ["NET_RAW"]})),
    (pods.containers_are_restricted, _security(capabilities={"drop": ["ALL"], "add": ["KILL"]})),
    (pods.containers_are_restricted, _security(privileged=True)),
    (pods.containers_are_restricted, _security(runAsUser=0)),
    (pods.containers_are_restricted, _root_by_pod),
    (pods.containers_are_restricted, _operators_defaults),
    (pods.containers_are_restricted, _pod("judge", hostNetwork=True)),
    (pods.containers_are_restricted, _pod("judge", volumes=[{"hostPath": {"path": "/"}}])),
    (pods.namespace_enforces_restricted, _enforces_baseline),
    (pods.pods_hold_no_token, _pod("judge", automountServiceAccountToken=True)),
    (pods.pods_hold_no_token, _pod("judge", serviceAccountName="default")),
    (pods.pods_hold_no_token, _token_account),
    (pods.pods_get_no_service_links, _pod("gateway", enableServiceLinks=True)),
    (pods.containers_are_bounded, _unbounded),
    (pods.containers_are_bounded, _unsized_tmp),
    (pods.services_are_probed, _liveness_on_readiness),
    (pods.services_are_probed, _gateway_by_its_database),
    (pods.services_are_spread, _pod("gateway", topologySpreadConstraints=[])),
    (pods.services_have_disruption_budgets, _without("PodDisruptionBudget", "medvid-judge")),
    (
        pods.budgets_let_nodes_be_drained,
        _spec("PodDisruptionBudget", "medvid-judge", maxUnavailable=0),
    ),
    (pods.selectors_find_their_pods, _spec("Service", "medvid-gateway", selector={"app": "x"})),
    (network.everything_is_denied_first, _without("NetworkPolicy", "default-deny")),
    (network.only_the_judge_and_webhooks_leave, _judge_inwards),
    (network.only_the_judge_and_webhooks_leave, _judge_inwards_by_ipv6),
    (network.only_the_judge_and_webhooks_leave, _judge_without_ipv6),
    (network.only_the_judge_and_webhooks_leave, _judge_plain),
    (network.only_the_judge_and_webhooks_leave, _all_to_provider),
    (network.each_service_reaches_what_it_needs, _scorer_without_broker),
    (network.each_service_reaches_what_it_needs, _without("NetworkPolicy", "dns")),
    (network.engines_let_the_services_in, _postgres_shut),
    (network.nobody_is_open_to_all, _open_to_all),
    (network.every_service_has_a_policy, _forgotten),
    (code.variables_are_settings, _set("scorer", "MEDVID_SCORER_PROCESES", "2")),
    (code.variables_are_settings, _set("judge", "MEDVID_SCORER_PROCESSES", "2")),
    (code.variables_are_settings, _set("judge", "MEDVID_JUDGE_PROVIDER", "oracle")),
    (code.secrets_have_templates, _unknown_key),
    (code.secrets_have_templates, _secret_with_a_value),
    (code.secret_settings_come_from_secrets, _key_written_out),
    (code.keys_go_to_who_needs_them, _key_for_the_scorer),
    (code.ports_are_served, _port_of_old),
    (code.ports_are_served, _set("settings", "MEDVID_OPS_HOST", "127.0.0.1")),
    (code.ports_are_served, _service_to_nowhere),
    (doors.doors_lead_to_the_gateways, _route_to_nowhere),
    (doors.doors_have_the_sites_name, _another_host),
    (doors.doors_give_uploads_their_time, _impatient_route),
    (doors.doors_give_uploads_their_time, _impatient_streams),
    (doors.doors_give_uploads_their_time, _one_rule_for_all),
    (doors.only_the_door_reaches_the_gateways, _door_shut),
    (code.figures_are_not_public, _set("settings", "MEDVID_OPS_PORT", "0")),
    (code.commands_start, _unknown_module),
    (code.commands_start, _unknown_command),
    (code.commands_start, _foreign_image),
    (code.time_to_finish_is_given, _pod("judge", terminationGracePeriodSeconds=60)),
    (code.time_to_finish_is_given, _set("scorer", "MEDVID_DRAIN_SECONDS", "25")),
    (code.time_to_finish_is_given, _set("judge", "MEDVID_JUDGE_TIMEOUT_SECONDS", "300")),
    (code.time_to_finish_is_given, _no_pre_stop),
    (code.startup_is_waited_for, _impatient_start),
    (code.proxies_are_the_clusters_own, _set("gateway", "MEDVID_TRUSTED_PROXIES", "10.0.0.0/8")),
    (code.proxies_are_the_clusters_own, _set("gateway", "MEDVID_TRUSTED_PROXIES", "")),
    (code.jobs_can_be_replaced, _spec("Job", "medvid-migrate", ttlSecondsAfterFinished=60)),
    (code.jobs_can_be_replaced, _without_annotations),
    (code.uploads_fit_the_disk, _set("gateway", "MEDVID_UPLOAD_CONCURRENCY", "64")),
    (code.uploads_fit_the_disk, _amount_of_tmp),
    (code.connections_suffice, _few_connections),
    (code.connections_suffice, _spec("HorizontalPodAutoscaler", "medvid-gateway", maxReplicas=50)),
    (code.scalers_know_the_queues, _trigger("requests", queueName="judge.request")),
    (code.scalers_know_the_queues, _trigger("requests", protocol="amqp")),
    (code.scalers_know_the_queues, _sleep_without_a_wake),
    (code.scalers_know_the_queues, _one_queue_forgotten),
    (code.scalers_know_the_queues, _no_fallback),
    (code.the_judge_can_grow_to_its_limit, _set("judge", "MEDVID_JUDGE_WINDOW_BATCHES", "8")),
    (code.the_judge_can_grow_to_its_limit, _trigger("backlog", query="vector(1)")),
    (
        code.scaled_deployments_leave_replicas_alone,
        _spec("Deployment", "medvid-judge", replicas=3),
    ),
]


@pytest.mark.parametrize(
    ("policy", "mutate"), CASES, ids=[f"{i}-{case[0].__name__}" for i, case in enumerate(CASES)]
)
def test_a_mutated_manifest_is_noticed(policy: Policy, mutate: Mutation) -> None:
    manifests = render("production")
    assert policy(manifests) == []
    mutate(manifests)
    assert policy(manifests) != []


@pytest.mark.parametrize("door", ["haproxy", "traefik"])
def test_a_mutated_ingress_is_noticed(door: str) -> None:
    manifests = render(f"production with {door}")
    ingress = manifests.get("Ingress", "medvid")
    ingress["metadata"]["annotations"].pop("haproxy.org/timeout-server", None)
    rule = ingress["spec"]["rules"][0]
    rule["host"] = "other.example.org"
    rule["http"]["paths"][0]["backend"]["service"]["name"] = "medvid-web"
    assert doors.doors_lead_to_the_gateways(manifests) != []
    assert doors.doors_have_the_sites_name(manifests) != []
    assert (doors.doors_give_uploads_their_time(manifests) != []) == (door == "haproxy")


def test_every_policy_has_a_mutation() -> None:
    assert set(POLICIES) == {policy for policy, _ in CASES}
