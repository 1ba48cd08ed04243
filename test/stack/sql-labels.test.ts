import { describe, expect, it } from "vitest";
import { sqlLabel } from "../../dev/sql-labels.ts";

describe("the label of a SQL statement", () => {
  it.each([
    ["insert into audit_log (a) values ($1)", "insert audit_log"],
    ['select "id" from "users" where "users"."id" = $1', "select users"],
    ['  -- why\n /* and\nhow */ UPDATE only "app"."keys" SET a = 1', "update keys"],
    ["delete from sessions using users", "delete sessions"],
    ["(select 1 from a) union (select 2 from b)", "select a"],
    ["select set_config('app.tenant', $1, true)", "select"],
    ["select * from drain_events($1)", "select drain_events"],
    ["create table if not exists t(id int)", "create t"],
    ["begin", "begin"],
    ["with x as (select 1 from a) select * from x", "with a"],
    [
      "with d as (delete from outbox returning *), i as (insert into audit_log select * from d on conflict do update set a = 1) update usage set n = 1",
      "with delete outbox, insert audit_log, update usage",
    ],
    ["", ""],
  ])("%j is %j", (statement, label) => {
    expect(sqlLabel(statement)).toBe(label);
  });
});
