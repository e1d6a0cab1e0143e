const AGENT_NAME = /^[A-Za-z0-9][A-Za-z0-9_.+@:-]*$/;

/**
 * Can an agent or its provider be called so? Names come from the configuration and become paths in the agents' directories:
 * no separators, no leading dot.
 */
export function isAgentName(name: string): boolean {
  return AGENT_NAME.test(name);
}
