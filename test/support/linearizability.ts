/** The checker lives beside the simulator, which judges every run with it; chaos runs and the raft world share it. */
export * from "../../src/app/sim/linearizability.ts";
