/** Words that crmsh has and we do not, by level: why, and what to use instead. Everything else unknown is merely no command. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ["root.history", "there is no log to guess from: `watch` tells decisions, `resource operations` results, `report` collects both"],
  ["root.site", "there is no manager of sites; tickets are granted in simulations (`cibstatus ticket`)"],
  ["root.script", "provisioning is not this program's business"],
  ["root.assist", "provisioning is not this program's business"],
  ["root.template", "provisioning is not this program's business; `configure rsc_template` is something else"],
  ["root.sbd", "watchdogs belong to the guardian: see `selfFence` and `watchdog` in its configuration file"],
  ["configure.template", "provisioning is not this program's business; did you mean rsc_template?"],
  ["configure.assist", "provisioning is not this program's business"],
  ["configure.user", "access rules of Pacemaker 1.x are not written any more: use role and acl_target"],
  ["resource.secret", "values outside of the configuration are not supported; `show` hides what is named like a password"],
  ["cluster.crash_test", "`scripts/chaos.sh` crashes clusters on purpose, though not this one"],
]);

/** The message for a word that means nothing at this level (`LEVEL.WORD`). */
export function noSuchCommand(name: string): string {
  const reason = REFUSALS.get(name);
  return reason === undefined ? `${name}: No such command` : `${name}: not supported: ${reason}`;
}
