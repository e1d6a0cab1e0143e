import type { Terminal } from "../../src/app/cli/terminal.ts";

/** A terminal that remembers: `out` is standard output, `said` the messages. */
export class TestTerminal implements Terminal {
  readonly interactive: boolean = false;
  readonly color = false;
  out_: string[] = [];
  said: string[] = [];
  write(text: string): void {
    this.out_.push(text);
  }
  out(line: string): void {
    this.out_.push(line);
  }
  error(message: string): void {
    this.said.push(`ERROR: ${message}`);
  }
  warn(message: string): void {
    this.said.push(`WARNING: ${message}`);
  }
  info(message: string): void {
    this.said.push(`INFO: ${message}`);
  }
  async confirm(_question: string, safe: boolean): Promise<boolean> {
    return safe;
  }
}
