# Debian packages, for scripts/setup.sh: what the tests run against beside Node.
# libxml2-utils and pacemaker-common: the schema that written configurations must satisfy.
# resource-agents, pacemaker-resource-agents, fence-agents: real agents and their metadata.
# iproute2, nftables, systemd, dbus: hosts of namespaces with a real systemd as first process.
# pacemaker-cli-utils: `crm_simulate`, the black box that the policy engine is compared with.
# shellcheck disable=SC2034
TEST_PACKAGES=(libxml2-utils pacemaker-common pacemaker-cli-utils resource-agents pacemaker-resource-agents procps psmisc iproute2 nftables systemd dbus)
# scripts/chaos.sh. libfaketime: clocks of daemons that jump. strace: syncs that fail. e2fsprogs: small disks that fill up.
# xfsprogs: disks that lose what was not synced. python3: frames that are delayed (scripts/lab/wire).
# shellcheck disable=SC2034
CHAOS_PACKAGES=(iproute2 nftables procps util-linux e2fsprogs libfaketime strace xfsprogs python3)
# scripts/deployments.sh: the agents of Debian, what they call, and the services that they run.
# shellcheck disable=SC2034
DEPLOYMENT_PACKAGES=(iproute2 nftables procps psmisc util-linux curl resource-agents nginx-light)
