import type { RandomSource } from "../core/contracts/environment.ts";
import type { EnvironmentCase } from "./environment.ts";
import { check, checkEqual } from "./suite.ts";

const DRAWS = 20_000;
const TWO_POW_32 = 4_294_967_296;

/**
 * Fails if the mean of draws from [0, 1) lies more than six standard errors from a half: it
 * happens by chance once in 500 million runs.
 */
function checkUniform(draws: readonly number[], what: string): void {
  const mean = draws.reduce((sum, each) => sum + each, 0) / draws.length;
  const tolerance = 6 / Math.sqrt(12 * draws.length);
  check(Math.abs(mean - 0.5) < tolerance, `${what}: the mean of ${draws.length} draws is ${mean}`);
}

function words(source: RandomSource, count: number): number[] {
  return Array.from({ length: count }, () => source.uint32());
}

/** Chance. */
export const RANDOM_CASES: readonly EnvironmentCase[] = Object.freeze<EnvironmentCase[]>([
  {
    name: "uint32 is a whole number of 32 bits, uniform",
    run: (environment) => {
      const draws = words(environment.random("words"), DRAWS);
      for (const each of draws) {
        check(Number.isInteger(each) && each >= 0 && each < TWO_POW_32, `uint32() gave ${each}`);
      }
      checkUniform(
        draws.map((each) => each / TWO_POW_32),
        "uint32",
      );
      checkUniform(
        draws.map((each) => (each & 0xffff) / 0x10000),
        "the lower half of uint32",
      );
      check(new Set(draws).size > DRAWS * 0.999, "uint32 repeats itself");
    },
  },
  {
    name: "fraction lies in [0, 1), uniform",
    run: (environment) => {
      const source = environment.random("fractions");
      const draws = Array.from({ length: DRAWS }, () => source.fraction());
      for (const each of draws) check(each >= 0 && each < 1, `fraction() gave ${each}`);
      checkUniform(draws, "fraction");
    },
  },
  {
    name: "bytes gives as many as were asked for, uniform, and each time others",
    run: (environment) => {
      const source = environment.random("bytes");
      for (const length of [0, 1, 16, 5_000]) {
        checkEqual(source.bytes(length).length, length, "length");
      }
      const [first, second] = [source.bytes(DRAWS), source.bytes(DRAWS)];
      checkUniform(
        Array.from(first, (byte) => (byte + 0.5) / 256),
        "bytes",
      );
      check(
        first.some((byte, at) => byte !== second[at]),
        "bytes gave the same twice",
      );
    },
  },
  {
    name: "two streams differ",
    run: (environment) => {
      const first = words(environment.random("one"), 100);
      const second = words(environment.random("two"), 100);
      check(
        first.some((word, at) => word !== second[at]),
        "two streams give the same",
      );
    },
  },
  {
    name: "a stream follows from its seed, whatever other streams draw",
    needs: ({ seeded }) => seeded,
    run: (environment, harness) => {
      const alone = words(environment.random("one"), 100);
      const again = harness.open();
      words(again.random("two"), 50);
      const one = again.random("one");
      const beside = alone.map(() => {
        again.random("two").uint32();
        return one.uint32();
      });
      checkEqual(beside, alone, "draws beside another stream's");
    },
  },
]);
