"""Command lines of the control plane's programs: on the slot's addresses, all over TLS."""

from pathlib import Path

from local.control_plane.pki import Pki
from local.control_plane.ports import CONTROL_PLANE_PORTS
from local.control_plane.slots import Slot

IDLE_CONTROLLERS = (
    # Pods live on loopback addresses, which Endpoints and EndpointSlices refuse.
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    # There is no cloud, no CSI driver and no certificate signer behind these.
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "certificatesigningrequest-signing-controller",
    "cloud-node-lifecycle-controller",
    "legacy-serviceaccount-token-cleaner-controller",
    "node-ipam-controller",
    "node-route-controller",
    "persistentvolume-attach-detach-controller",
    "persistentvolume-expander-controller",
    "service-lb-controller",
)


def url(slot: Slot, name: str) -> str:
    """Where the named program listens."""
    return f"https://{slot.node_ip}:{CONTROL_PLANE_PORTS[name]}"


def etcd(
    program: Path, slot: Slot, pki: Pki, data: Path, *, unsafe_no_fsync: bool = False
) -> list[str]:
    """One member; clients and peers need a certificate of the CA.

    Without fsync a crash of the *machine* may lose the data: for throw-away planes only.
    """
    client, peer = url(slot, "etcd"), url(slot, "etcd-peer")
    argv = [
        str(program),
        "--name=local",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        "--client-cert-auth",
        f"--trusted-ca-file={pki.ca}",
        f"--cert-file={pki.certificate('etcd')}",
        f"--key-file={pki.key('etcd')}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={pki.ca}",
        f"--peer-cert-file={pki.certificate('etcd')}",
        f"--peer-key-file={pki.key('etcd')}",
        "--log-level=warn",
    ]
    return [*argv, "--unsafe-no-fsync"] if unsafe_no_fsync else argv


def kube_apiserver(program: Path, slot: Slot, pki: Pki) -> list[str]:
    """Real authentication, RBAC and admission (Pod Security, quotas), as on a cluster."""
    return [
        str(program),
        f"--etcd-servers={url(slot, 'etcd')}",
        f"--etcd-cafile={pki.ca}",
        f"--etcd-certfile={pki.certificate('etcd')}",
        f"--etcd-keyfile={pki.key('etcd')}",
        f"--bind-address={slot.node_ip}",
        f"--advertise-address={slot.node_ip}",
        f"--secure-port={CONTROL_PLANE_PORTS['kube-apiserver']}",
        *_serving(pki),
        f"--client-ca-file={pki.ca}",
        f"--token-auth-file={pki.tokens}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={slot.service_cidr}",
        # The `kubernetes` Service would need a loopback endpoint, which the API refuses.
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki.service_account_key}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        f"--kubelet-certificate-authority={pki.ca}",
        f"--kubelet-client-certificate={pki.certificate('kubelet-client')}",
        f"--kubelet-client-key={pki.key('kubelet-client')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki.ca}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki.certificate('front-proxy')}",
        f"--proxy-client-key-file={pki.key('front-proxy')}",
        "--profiling=false",
        "--v=0",
    ]


def kube_controller_manager(program: Path, slot: Slot, pki: Pki, login: Path) -> list[str]:
    """All controllers but those that have nothing to do here; `login` is its kubeconfig."""
    controllers = ["*", *(f"-{name}" for name in IDLE_CONTROLLERS)]
    return [
        str(program),
        f"--kubeconfig={login}",
        f"--bind-address={slot.node_ip}",
        f"--secure-port={CONTROL_PLANE_PORTS['kube-controller-manager']}",
        *_serving(pki),
        f"--controllers={','.join(controllers)}",
        "--leader-elect=false",
        f"--root-ca-file={pki.ca}",
        f"--service-account-private-key-file={pki.service_account_key}",
        # The node agent renews its lease every few seconds; a busy laptop may delay it.
        "--node-monitor-period=5s",
        "--node-monitor-grace-period=30s",
        # A claim that came before the node's StorageClass is looked at again only then.
        "--pvclaimbinder-sync-period=1s",
        "--terminated-pod-gc-threshold=50",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
        "--profiling=false",
    ]


def kube_scheduler(program: Path, slot: Slot, pki: Pki, login: Path) -> list[str]:
    """The default profile; `login` is its kubeconfig."""
    return [
        str(program),
        f"--kubeconfig={login}",
        f"--bind-address={slot.node_ip}",
        f"--secure-port={CONTROL_PLANE_PORTS['kube-scheduler']}",
        *_serving(pki),
        "--leader-elect=false",
        "--profiling=false",
    ]


def _serving(pki: Pki) -> list[str]:
    return [
        f"--tls-cert-file={pki.certificate('serving')}",
        f"--tls-private-key-file={pki.key('serving')}",
    ]
