import { describe, expect, test } from "vitest";
import type { Incarnation, StoreId } from "../../../../../src/core/model/ids.ts";
import { IdentityLedger } from "../../../../../src/core/store/peers/identity-ledger.ts";

function ledgerOf(stored?: Uint8Array) {
  const saved: Uint8Array[] = [];
  const ledger = new IdentityLedger(stored, (bytes) => saved.push(bytes), 3);
  const recognise = (store: string, incarnation: number, position: number) =>
    ledger.recognise(store as StoreId, incarnation as Incarnation, position);
  const remember = (store: string, incarnation: number, position: number) =>
    ledger.remember(store as StoreId, incarnation as Incarnation, position, 0);
  return { ledger, saved, recognise, remember };
}

describe("the ledger of identities", () => {
  test("tells a later start from an earlier one, a copy and a new store", () => {
    const { recognise, remember } = ledgerOf();
    expect(recognise("s", 1, 0)).toBe("new");
    remember("s", 3, 100);
    expect(recognise("s", 4, 100)).toBe("later-start");
    expect(recognise("s", 4, 99)).toBe("old-copy");
    expect(recognise("s", 3, 100)).toBe("earlier-start");
    expect(recognise("s", 2, 500)).toBe("earlier-start");
    expect(recognise("other", 1, 0)).toBe("new");
  });

  test("goes on over a restart, where the very start that it met may still be alive", () => {
    const first = ledgerOf();
    first.remember("s", 3, 100);
    const { recognise, remember } = ledgerOf(first.saved.at(-1));
    expect(recognise("s", 3, 100)).toBe("later-start");
    expect(recognise("s", 3, 99)).toBe("old-copy");
    expect(recognise("s", 2, 100)).toBe("earlier-start");
    remember("s", 3, 100);
    expect(recognise("s", 3, 100)).toBe("earlier-start");
  });

  test("never forgets how far a store had come", () => {
    const { ledger, recognise, remember } = ledgerOf();
    remember("s", 3, 100);
    ledger.advance("s" as StoreId, 50, 0);
    remember("s", 4, 70);
    expect(recognise("s", 5, 99)).toBe("old-copy");
    ledger.advance("unknown" as StoreId, 50, 0);
    expect(recognise("unknown", 1, 0)).toBe("new");
  });

  test("tells a store that comes back from the one that was met last", () => {
    const first = ledgerOf();
    first.remember("s", 3, 100);
    first.remember("t", 1, 5);
    for (const { recognise } of [first, ledgerOf(first.saved.at(-1))]) {
      expect(recognise("s", 4, 100)).toBe("followed");
      expect(recognise("s", 4, 99)).toBe("old-copy");
      expect(recognise("s", 2, 100)).toBe("earlier-start");
      expect(recognise("t", 2, 5)).toBe("later-start");
    }
    first.remember("s", 4, 100);
    expect(first.recognise("s", 5, 100)).toBe("later-start");
    expect(first.recognise("t", 2, 5)).toBe("followed");
  });

  test("remembers sixteen stores, those that were met last", () => {
    const first = ledgerOf();
    for (let n = 0; n < 20; n++) first.remember(`s${n}`, 1, 1);
    const { recognise } = ledgerOf(first.saved.at(-1));
    expect(recognise("s3", 1, 1)).toBe("new");
    expect(recognise("s4", 2, 1)).toBe("followed");
    expect(recognise("s19", 2, 1)).toBe("later-start");
  });

  test("starts with nothing from bytes that it does not understand", () => {
    expect(ledgerOf(Uint8Array.of(0, 9, 1)).recognise("s", 1, 0)).toBe("new");
  });
});
