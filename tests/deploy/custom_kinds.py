"""What the operators' resources may look like: the fields that are used, as in their manuals.

Closed schemas: an unknown field is an error, since an operator would drop it in silence. `crds`
holds the same objects against the operators' own CRDs.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_QUANTITY: Final[Schema] = {"type": "string", "pattern": r"^\d+(m|Mi|Gi)?$"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION: Final[Schema] = {"type": "string", "pattern": r"^(\d+(ms|s|m|h|d))+$"}


def _of(required: str = "", /, **fields: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": fields,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _one_of(*values: str) -> Schema:
    return {"enum": list(values)}


_SECRET_KEY: Final = _of("name key", name=_TEXT, key=_TEXT)
_RESOURCES: Final = _of(
    "requests limits",
    requests=_of("cpu memory", cpu=_QUANTITY, memory=_QUANTITY),
    limits=_of("memory", cpu=_QUANTITY, memory=_QUANTITY),
)
_LABELS: Final = _of("matchLabels", matchLabels=_TEXTS)
_SPREAD: Final = _of(
    "maxSkew topologyKey whenUnsatisfiable labelSelector",
    maxSkew=_COUNT,
    topologyKey=_TEXT,
    whenUnsatisfiable=_one_of("DoNotSchedule", "ScheduleAnyway"),
    labelSelector=_LABELS,
)

# ------------------------------------------------------------------ KEDA
_POLICY: Final = _of(
    "type value periodSeconds",
    type=_one_of("Pods", "Percent"),
    value=_COUNT,
    periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
)
_SCALING: Final = _of(
    "policies",
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    policies=_list(_POLICY),
)
_RABBITMQ: Final = _of(
    "protocol host queueName mode value activationValue",
    protocol=_one_of("http"),
    host={"type": "string", "pattern": r"^https?://[a-z.-]+:\d+/$"},
    vhostName=_TEXT,
    queueName=_TEXT,
    mode=_one_of("QueueLength"),
    value={"type": "string", "pattern": r"^\d+$"},
    activationValue={"type": "string", "pattern": r"^\d+$"},
)
_POSTGRESQL: Final = _of(
    "host port sslmode query targetQueryValue",
    host=_TEXT,
    port={"type": "string", "pattern": r"^\d+$"},
    sslmode=_one_of("require", "verify-full"),
    query=_TEXT,
    targetQueryValue={"type": "string", "pattern": r"^\d+$"},
    activationTargetQueryValue={"type": "string", "pattern": r"^\d+$"},
)

_PROMETHEUS: Final = _of(
    "serverAddress query threshold",
    serverAddress={"type": "string", "pattern": r"^https?://[a-z.-]+:\d+$"},
    query=_TEXT,
    threshold={"type": "string", "pattern": r"^\d+(\.\d+)?$"},
    activationThreshold={"type": "string", "pattern": r"^\d+(\.\d+)?$"},
    ignoreNullValues=_one_of("true", "false"),
)


def _trigger(kind: str, metadata: Schema, *, has_secret: bool = True) -> Schema:
    return _of(
        "type metadata authenticationRef" if has_secret else "type metadata",
        type=_one_of(kind),
        name=_TEXT,
        metadata=metadata,
        authenticationRef=_of("name", name=_TEXT),
    )


_SCALED_OBJECT: Final = _of(
    "scaleTargetRef minReplicaCount maxReplicaCount fallback triggers",
    scaleTargetRef=_of("name", name=_TEXT),
    minReplicaCount=_COUNT,
    maxReplicaCount=_COUNT,
    pollingInterval=_COUNT,
    cooldownPeriod=_COUNT,
    fallback=_of("failureThreshold replicas", failureThreshold=_COUNT, replicas=_COUNT),
    advanced=_of(
        horizontalPodAutoscalerConfig=_of(behavior=_of(scaleUp=_SCALING, scaleDown=_SCALING))
    ),
    triggers=_list(
        {
            "oneOf": [
                _trigger("rabbitmq", _RABBITMQ),
                _trigger("postgresql", _POSTGRESQL),
                _trigger("prometheus", _PROMETHEUS, has_secret=False),
            ]
        }
    ),
)
_TRIGGER_AUTHENTICATION: Final = _of(
    "secretTargetRef",
    secretTargetRef=_list(
        _of(
            "parameter name key",
            parameter=_one_of("username", "userName", "password", "dbName"),
            name=_TEXT,
            key=_TEXT,
        )
    ),
)

# ------------------------------------------------------------------ RabbitMQ Cluster Operator
_POD_SPEC: Final = _of(
    "containers",
    securityContext={"type": "object"},
    initContainers=_list(_of("name", name=_one_of("setup-container"), securityContext={})),
    containers=_list(_of("name", name=_one_of("rabbitmq"), securityContext={})),
    topologySpreadConstraints=_list(_SPREAD),
)
_RABBITMQ_CLUSTER: Final = _of(
    "replicas image persistence resources",
    replicas=_COUNT,
    image=_TEXT,
    terminationGracePeriodSeconds=_COUNT,
    persistence=_of("storage", storage=_QUANTITY, storageClassName=_TEXT),
    resources=_RESOURCES,
    tls=_of("secretName", secretName=_TEXT),
    rabbitmq=_of(
        additionalConfig=_TEXT,
        additionalPlugins=_list(_TEXT),
        erlangInetConfig=_TEXT,
        envConfig=_TEXT,
    ),
    override=_of(statefulSet=_of(spec=_of(template=_of(spec=_POD_SPEC)))),
)

# ------------------------------------------------------------------ CloudNativePG
_CLUSTER: Final = _of(
    "instances imageName bootstrap postgresql storage resources",
    instances=_COUNT,
    imageName=_TEXT,
    primaryUpdateStrategy=_one_of("unsupervised", "supervised"),
    primaryUpdateMethod=_one_of("switchover", "restart"),
    enablePDB=_FLAG,
    bootstrap=_of(
        initdb=_of(
            "database owner", database=_TEXT, owner=_TEXT, encoding=_TEXT, dataChecksums=_FLAG
        )
    ),
    postgresql=_of(
        synchronous=_of(
            "method number",
            method=_one_of("any", "first"),
            number=_COUNT,
            dataDurability=_one_of("required", "preferred"),
        ),
        parameters=_TEXTS,
    ),
    storage=_of("size", size=_QUANTITY, storageClass=_TEXT),
    walStorage=_of("size", size=_QUANTITY, storageClass=_TEXT),
    resources=_RESOURCES,
    affinity=_of(
        enablePodAntiAffinity=_FLAG,
        podAntiAffinityType=_one_of("required", "preferred"),
        topologyKey=_TEXT,
    ),
    plugins=_list(
        _of(
            "name",
            name=_one_of("barman-cloud.cloudnative-pg.io"),
            isWALArchiver=_FLAG,
            parameters=_of("barmanObjectName", barmanObjectName=_TEXT),
        )
    ),
)
_SCHEDULED_BACKUP: Final = _of(
    "schedule cluster method",
    schedule={"type": "string", "pattern": r"^(\S+ ){5}\S+$"},  # with seconds
    immediate=_FLAG,
    backupOwnerReference=_one_of("none", "self", "cluster"),
    cluster=_of("name", name=_TEXT),
    method=_one_of("plugin"),
    pluginConfiguration=_of("name", name=_one_of("barman-cloud.cloudnative-pg.io")),
)
_COMPRESSION: Final = _one_of("gzip", "bzip2", "lz4", "snappy", "xz", "zstd")
_OBJECT_STORE: Final = _of(
    "configuration",
    retentionPolicy={"type": "string", "pattern": r"^[1-9]\d*[dwm]$"},
    configuration=_of(
        "destinationPath s3Credentials",
        destinationPath={"type": "string", "pattern": r"^s3://"},
        endpointURL=_TEXT,
        s3Credentials=_of(
            "accessKeyId secretAccessKey", accessKeyId=_SECRET_KEY, secretAccessKey=_SECRET_KEY
        ),
        wal=_of(compression=_COMPRESSION, maxParallel=_COUNT),
        data=_of(compression=_one_of("gzip", "bzip2", "snappy")),
    ),
)

# ------------------------------------------------------------------ Prometheus Operator
_RELABELING: Final = _of("sourceLabels targetLabel", sourceLabels=_list(_TEXT), targetLabel=_TEXT)
_ENDPOINT: Final = _of(
    "port", port=_TEXT, path=_TEXT, interval=_DURATION, relabelings=_list(_RELABELING)
)
_RULE: Final = {
    **_of("alert expr labels annotations"),
    "properties": {
        "alert": {"type": "string", "pattern": r"^Medvid[A-Za-z]+$"},
        "expr": _TEXT,
        "for": _DURATION,
        "labels": _of("severity namespace", severity=_one_of("page", "ticket"), namespace=_TEXT),
        "annotations": _of("summary runbook_url", summary=_TEXT, runbook_url=_TEXT),
    },
}

# ------------------------------------------------------------------ Gateway API
_HOST: Final[Schema] = {"type": "string", "pattern": r"^[a-z0-9-]+(\.[a-z0-9-]+)*$"}
_PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
_GATEWAY: Final = _of(
    "gatewayClassName listeners",
    gatewayClassName=_TEXT,
    listeners=_list(
        _of(
            "name protocol port",
            name=_TEXT,
            protocol=_one_of("HTTP", "HTTPS"),
            port=_PORT,
            hostname=_HOST,
            tls=_of(
                "certificateRefs",
                mode=_one_of("Terminate", "Passthrough"),
                certificateRefs=_list(_of("name", name=_TEXT)),
            ),
            allowedRoutes=_of(namespaces=_of(**{"from": _one_of("Same", "All", "Selector")})),
        )
    ),
)
_MATCH: Final = _of(
    path=_of(type=_one_of("PathPrefix", "Exact"), value={"type": "string", "pattern": "^/"}),
    headers=_list(_of("name value", name=_TEXT, value=_TEXT)),
)
_FILTER: Final = _of(
    "type",
    type=_one_of("RequestRedirect"),
    requestRedirect=_of(scheme=_one_of("https"), statusCode={"enum": [301, 302, 303, 307, 308]}),
)
_HTTP_ROUTE: Final = _of(
    "parentRefs rules",
    parentRefs=_list(_of("name", name=_TEXT, sectionName=_TEXT)),
    hostnames=_list(_HOST),
    rules=_list(
        _of(
            matches=_list(_MATCH),
            filters=_list(_FILTER),
            timeouts=_of(
                request={"type": "string", "pattern": r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"},
            ),
            backendRefs=_list(_of("name port", name=_TEXT, port=_PORT)),
        )
    ),
)

# ------------------------------------------------------------------ cert-manager
_CERTIFICATE: Final = _of(
    "secretName issuerRef",
    secretName=_TEXT,
    isCA=_FLAG,
    commonName=_TEXT,
    dnsNames=_list(_HOST),
    duration=_DURATION,
    renewBefore=_DURATION,
    privateKey=_of(algorithm=_one_of("RSA", "ECDSA", "Ed25519"), size=_COUNT),
    issuerRef=_of("name", name=_TEXT),
)
_ISSUER: Final = _of(selfSigned=_of(), ca=_of("secretName", secretName=_TEXT))

# ------------------------------------------------------------------ RabbitMQ's topology operator
_BROKER: Final = _of("name", name=_TEXT)
_PERMISSION: Final = _of(
    "vhost userReference rabbitmqClusterReference permissions",
    vhost=_TEXT,
    userReference=_of("name", name=_TEXT),
    rabbitmqClusterReference=_BROKER,
    permissions=_of("configure write read", configure=_TEXT, write=_TEXT, read=_TEXT),
)

SCHEMAS: Final[dict[tuple[str, str], Schema]] = {
    ("gateway.networking.k8s.io/v1", "Gateway"): _GATEWAY,
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _HTTP_ROUTE,
    ("keda.sh/v1alpha1", "ScaledObject"): _SCALED_OBJECT,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _TRIGGER_AUTHENTICATION,
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): _RABBITMQ_CLUSTER,
    ("rabbitmq.com/v1beta1", "User"): _of(
        "rabbitmqClusterReference", rabbitmqClusterReference=_BROKER
    ),
    ("rabbitmq.com/v1beta1", "Permission"): _PERMISSION,
    ("cert-manager.io/v1", "Certificate"): _CERTIFICATE,
    ("cert-manager.io/v1", "Issuer"): _ISSUER,
    ("postgresql.cnpg.io/v1", "Cluster"): _CLUSTER,
    ("postgresql.cnpg.io/v1", "ScheduledBackup"): _SCHEDULED_BACKUP,
    ("barmancloud.cnpg.io/v1", "ObjectStore"): _OBJECT_STORE,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _of(
        "selector endpoints", selector=_LABELS, endpoints=_list(_ENDPOINT)
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): _of(
        "selector podMetricsEndpoints", selector=_LABELS, podMetricsEndpoints=_list(_ENDPOINT)
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _of(
        "groups", groups=_list(_of("name rules", name=_TEXT, rules=_list(_RULE)))
    ),
}
