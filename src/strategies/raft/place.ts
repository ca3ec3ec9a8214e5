import { type Configuration, type Identity, isAmong, isVoter } from "./configuration.ts";

/**
 * What the configuration in force makes of this replica. It is asked with every read and every
 * proposal, and is another one only with another configuration or identity: both are replaced,
 * never changed.
 */
export class Place {
  #configuration: Configuration | undefined;
  #identity: Identity | undefined;
  #votes = false;
  #isNamed = false;

  isVoter(configuration: Configuration, identity: Identity): boolean {
    this.#look(configuration, identity);
    return this.#votes;
  }

  /** Whether the configuration names it at all. */
  isNamed(configuration: Configuration, identity: Identity): boolean {
    this.#look(configuration, identity);
    return this.#isNamed;
  }

  #look(configuration: Configuration, identity: Identity): void {
    if (configuration === this.#configuration && identity === this.#identity) return;
    this.#configuration = configuration;
    this.#identity = identity;
    this.#votes = isVoter(configuration, identity);
    this.#isNamed = this.#votes || isAmong(configuration.learners, identity);
  }
}
