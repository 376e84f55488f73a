"""Drives the Databricks stand-in with Databricks' own SDK, unmodified. Prints a line for each check that ran."""

import csv
import io
import json
import os
import sys
import time
import urllib.request
from datetime import timedelta

import pyarrow.ipc
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.jobs import QueueSettings
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    QueryFilter,
    QueryTag,
    StatementParameterListItem,
    StatementState,
)

HOST = os.environ["CAUSEWAY_LOCAL_HOST"]
WAREHOUSE = os.environ["CAUSEWAY_LOCAL_WAREHOUSE"]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def client(**more):
    return WorkspaceClient(config=Config(host=HOST, http_timeout_seconds=30, retry_timeout_seconds=5, **more))


M2M = client(
    client_id=os.environ["CAUSEWAY_LOCAL_CLIENT_ID"],
    client_secret=os.environ["CAUSEWAY_LOCAL_CLIENT_SECRET"],
    auth_type="oauth-m2m",
)
STATEMENTS = M2M.statement_execution


def execute(statement, **more):
    more.setdefault("wait_timeout", "30s")
    return STATEMENTS.execute_statement(statement=statement, warehouse_id=WAREHOUSE, **more)


def until_ended(reply):
    deadline = time.monotonic() + 30
    while reply.status.state in (StatementState.PENDING, StatementState.RUNNING):
        assert time.monotonic() < deadline, "the statement does not end"
        time.sleep(0.05)
        reply = STATEMENTS.get_statement(reply.statement_id)
    return reply


@check
def a_personal_access_token_and_a_service_principal_are_the_same_workspace():
    pat = client(token=os.environ["CAUSEWAY_LOCAL_TOKEN"], auth_type="pat")
    assert pat.current_user.me().id == M2M.current_user.me().id


@check
def a_wrong_token_is_permission_denied():
    try:
        list(client(token="dapiwrong", auth_type="pat").warehouses.list())
    except PermissionDenied as error:
        assert "Invalid access token" in str(error)
    else:
        raise AssertionError("a wrong token was let in")


@check
def execute_with_parameters():
    reply = execute(
        "SELECT :n + 1 AS n, :day AS day, :nothing AS nothing, :text AS text",
        parameters=[
            StatementParameterListItem(name="n", value="41", type="INT"),
            StatementParameterListItem(name="day", value="2026-01-05", type="DATE"),
            StatementParameterListItem(name="nothing", type="DOUBLE"),
            StatementParameterListItem(name="text", value="it's"),
        ],
    )
    assert reply.status.state == StatementState.SUCCEEDED, reply
    assert [c.type_name.value for c in reply.manifest.schema.columns] == ["INT", "DATE", "DOUBLE", "STRING"]
    assert reply.result.data_array == [["42", "2026-01-05", None, "it's"]], reply.result


@check
def execute_asynchronously():
    reply = execute("SELECT count(*) FROM main.sales.orders", wait_timeout="0s")
    assert reply.status.state == StatementState.PENDING and reply.manifest is None and reply.result is None
    assert until_ended(reply).result.data_array == [["40000"]]


@check
def every_chunk_can_be_read():
    reply = execute("SELECT order_id FROM main.sales.orders ORDER BY order_id")
    assert reply.manifest.total_chunk_count > 1 and not reply.manifest.truncated
    part, rows = reply.result, list(reply.result.data_array)
    while part.next_chunk_index is not None:
        part = STATEMENTS.get_statement_result_chunk_n(reply.statement_id, part.next_chunk_index)
        rows += part.data_array
    assert [int(row[0]) for row in rows] == list(range(1, reply.manifest.total_row_count + 1))


def by_links(statement, form, **more):
    """The bytes of each chunk behind its presigned link, fetched without a credential, and the first reply."""
    reply = execute(statement, disposition=Disposition.EXTERNAL_LINKS, format=form, **more)
    assert reply.status.state == StatementState.SUCCEEDED, reply
    part, parts = reply.result, []
    while True:
        link = part.external_links[0]
        request = urllib.request.Request(link.external_link, headers=link.http_headers or {})
        with urllib.request.urlopen(request) as answer:
            parts.append(answer.read())
        if link.next_chunk_index is None:
            return reply, parts
        part = STATEMENTS.get_statement_result_chunk_n(reply.statement_id, link.next_chunk_index)


@check
def json_comes_by_links():
    reply, parts = by_links("SELECT order_id FROM main.sales.orders ORDER BY order_id", Format.JSON_ARRAY)
    rows = [row for part in parts for row in json.loads(part)]
    assert len(parts) == reply.manifest.total_chunk_count > 1
    assert [int(row[0]) for row in rows] == list(range(1, reply.manifest.total_row_count + 1))


@check
def csv_comes_by_links_with_its_header_once():
    _, parts = by_links(os.environ["CAUSEWAY_LOCAL_GENERATED"], Format.CSV, row_limit=40_000)
    rows = list(csv.reader(io.StringIO(b"".join(parts).decode())))
    assert rows[0] == ["id", "name"] and len(rows) == 40_001 and rows[1][0] == "0" and rows[-1][0] == "39999"
    assert any(row[1] == "null" for row in rows)


@check
def arrow_comes_by_links_and_is_only_for_them():
    reply, parts = by_links("SELECT order_id, amount FROM main.sales.orders ORDER BY order_id", Format.ARROW_STREAM)
    tables = [pyarrow.ipc.open_stream(part).read_all() for part in parts]
    sizes = [chunk.byte_count for chunk in reply.manifest.chunks]
    assert sizes == [len(part) for part in parts] and sum(sizes) == reply.manifest.total_byte_count
    ids = pyarrow.concat_tables(tables).column("order_id").to_pylist()
    assert ids == list(range(1, reply.manifest.total_row_count + 1))
    try:
        execute("SELECT 1", format=Format.ARROW_STREAM)
    except BadRequest:
        pass
    else:
        raise AssertionError("ARROW_STREAM came INLINE")


@check
def a_running_statement_can_be_canceled():
    reply = execute("SELECT count(*) FROM range(100000000) a, range(100000000) b", wait_timeout="0s")
    STATEMENTS.cancel_execution(reply.statement_id)
    assert until_ended(reply).status.state == StatementState.CANCELED


@check
def a_wait_can_cancel():
    reply = execute(
        "SELECT count(*) FROM range(100000000) a, range(100000000) b",
        wait_timeout="5s",
        on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL,
    )
    assert reply.status.state == StatementState.CANCELED, reply.status


@check
def a_bad_statement_fails_and_a_bad_wait_is_a_bad_request():
    reply = execute("SELEC 1")
    assert reply.status.state == StatementState.FAILED and "PARSE_SYNTAX_ERROR" in reply.status.error.message
    try:
        execute("SELECT 1", wait_timeout="300s")
    except BadRequest:
        pass
    else:
        raise AssertionError("300s was taken")
    try:
        STATEMENTS.get_statement("01f00000-0000-1000-8000-000000000000")
    except NotFound:
        pass
    else:
        raise AssertionError("an unknown statement was found")


@check
def warehouses_are_listed():
    found = {warehouse.id: warehouse for warehouse in M2M.warehouses.list()}
    assert found[WAREHOUSE].state.value == "RUNNING"
    assert M2M.warehouses.get(WAREHOUSE).name == found[WAREHOUSE].name


@check
def the_history_can_be_filtered():
    tagged = execute("SELECT 1 AS tagged", query_tags=[QueryTag(key="causeway-key", value="k")])
    page = M2M.query_history.list(
        filter_by=QueryFilter(statement_ids=[tagged.statement_id], warehouse_ids=[WAREHOUSE]), max_results=10
    )
    assert not page.res, "a statement is in the history before its lag"


@check
def jobs_are_listed_and_run_to_their_result():
    job = next(job for job in M2M.jobs.list() if job.settings.name == "rebuild-daily-sales")
    assert M2M.jobs.get(job.job_id).settings.tasks[0].task_key == "main"
    waiting = M2M.jobs.run_now(job.job_id, job_parameters={"day": "2026-11-07"}, idempotency_token="sdk-1")
    again = M2M.jobs.run_now(job.job_id, job_parameters={"day": "2026-11-07"}, idempotency_token="sdk-1")
    assert waiting.run_id == again.run_id
    run = waiting.result(timeout=timedelta(seconds=60))
    assert run.state.result_state.value == "SUCCESS", run.state
    output = M2M.jobs.get_run_output(run.tasks[0].run_id)
    assert '"2026-11-07"' in output.notebook_output.result, output
    assert run.run_id in [found.run_id for found in M2M.jobs.list_runs(job_id=job.job_id)]


@check
def a_failing_job_is_a_failure_for_the_waiter():
    job = next(M2M.jobs.list(name="always-fails"))
    try:
        M2M.jobs.run_now(job.job_id).result(timeout=timedelta(seconds=60))
    except Exception as error:
        assert "failed to reach" in str(error) and "INTERNAL_ERROR" in str(error), error
    else:
        raise AssertionError("the run did not fail")


@check
def a_run_can_be_canceled():
    job = next(M2M.jobs.list(name="slow"))
    run = M2M.jobs.run_now(job.job_id)
    ended = M2M.jobs.cancel_run(run.run_id).result(timeout=timedelta(seconds=60))
    assert ended.state.result_state.value == "CANCELED", ended.state


@check
def every_page_of_jobs_and_runs_is_read():
    names = [job.settings.name for job in M2M.jobs.list(limit=2)]
    assert "slow" in names and "wide" in names and len(names) == len(set(names)) > 4, names
    job = next(M2M.jobs.list(name="wide"))
    runs = [M2M.jobs.run_now(job.job_id).run_id for _ in range(3)]
    listed = [run.run_id for run in M2M.jobs.list_runs(job_id=job.job_id, limit=1)]
    assert listed == runs[::-1], (listed, runs)
    M2M.jobs.cancel_all_runs(job_id=job.job_id)
    for run_id in runs:
        M2M.jobs.wait_get_run_job_terminated_or_skipped(run_id, timeout=timedelta(seconds=60))
    assert not list(M2M.jobs.list_runs(job_id=job.job_id, active_only=True))
    assert len(list(M2M.jobs.list_runs(job_id=job.job_id, completed_only=True))) == 3


@check
def more_than_a_hundred_tasks_are_read():
    job = next(M2M.jobs.list(name="wide"))
    keys = {task.task_key for task in M2M.jobs.get(job.job_id).settings.tasks}
    assert len(keys) == 130, len(keys)
    run = M2M.jobs.run_now(job.job_id).result(timeout=timedelta(seconds=60))
    run = M2M.jobs.get_run(run.run_id)
    assert {task.task_key for task in run.tasks} == keys
    (expanded,) = [found for found in M2M.jobs.list_runs(job_id=job.job_id, limit=1, expand_tasks=True)
                   if found.run_id == run.run_id]
    assert expanded.tasks


@check
def a_failed_run_is_repaired_until_it_succeeds():
    job = next(M2M.jobs.list(name="flaky"))
    run_id = M2M.jobs.run_now(job.job_id).run_id
    for message in ("failure 0", "failure 1"):
        try:
            M2M.jobs.wait_get_run_job_terminated_or_skipped(run_id, timeout=timedelta(seconds=60))
        except Exception as error:
            assert "INTERNAL_ERROR" in str(error), error
        else:
            raise AssertionError("the run did not fail")
        run = M2M.jobs.get_run(run_id, include_history=True)
        last = {task.task_key: task for task in sorted(run.tasks, key=lambda task: task.attempt_number)}
        assert last["flaky"].status.termination_details.code.value == "RUN_EXECUTION_ERROR"
        assert last["after"].state.result_state.value == "UPSTREAM_FAILED"
        assert message in M2M.jobs.get_run_output(last["flaky"].run_id).error
        latest = run.repair_history[-1].id
        if latest is not None:
            try:
                M2M.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
            except BadRequest as error:
                assert "The latest repair ID needs to be provided" in str(error), error
            else:
                raise AssertionError("a second repair needs the id of the first")
        repair = M2M.jobs.repair_run(run_id, rerun_all_failed_tasks=True, latest_repair_id=latest)
    run = repair.result(timeout=timedelta(seconds=60))
    assert run.state.result_state.value == "SUCCESS", run.state
    history = M2M.jobs.get_run(run_id, include_history=True).repair_history
    assert [item.type.value for item in history] == ["ORIGINAL", "REPAIR", "REPAIR"], history
    assert history[-1].id == repair.response.repair_id and len(history[-1].task_run_ids) == 2


@check
def the_output_of_a_run_is_that_of_its_tasks():
    job = next(M2M.jobs.list(name="flaky"))
    run = next(M2M.jobs.list_runs(job_id=job.job_id, completed_only=True, expand_tasks=True))
    try:
        M2M.jobs.get_run_output(run.run_id)
    except BadRequest as error:
        assert "multiple tasks is not supported" in str(error), error
    else:
        raise AssertionError("a run of two tasks has an output")
    output = M2M.jobs.get_run_output(next(task.run_id for task in reversed(run.tasks) if task.task_key == "flaky"))
    assert output.logs == "at last\n" and output.logs_truncated is False, output
    assert output.metadata.job_run_id == run.run_id, output.metadata


@check
def a_run_that_may_not_begin_is_queued_or_skipped():
    job = next(M2M.jobs.list(name="one at a time"))
    first = M2M.jobs.run_now(job.job_id).run_id
    skipped = M2M.jobs.run_now(job.job_id).result(timeout=timedelta(seconds=60))
    assert skipped.state.life_cycle_state.value == "SKIPPED", skipped.state
    assert skipped.state.result_state.value == "MAXIMUM_CONCURRENT_RUNS_REACHED", skipped.state
    queued = M2M.jobs.run_now(job.job_id, queue=QueueSettings(enabled=True)).run_id
    state = M2M.jobs.get_run(queued).status
    assert state.queue_details.code.value == "MAX_CONCURRENT_RUNS_REACHED", state
    task = M2M.jobs.get_run(first).tasks[0].run_id
    assert M2M.jobs.cancel_run(task).result(timeout=timedelta(seconds=60)).state.result_state.value == "CANCELED"
    M2M.jobs.cancel_run(queued).result(timeout=timedelta(seconds=60))


@check
def a_token_is_made_listed_and_deleted():
    made = M2M.tokens.create(comment="conformance", lifetime_seconds=3600)
    found = [info for info in M2M.tokens.list() if info.token_id == made.token_info.token_id]
    assert [info.comment for info in found] == ["conformance"], found
    assert found[0].expiry_time - found[0].creation_time == 3_600_000, found
    M2M.tokens.delete(made.token_info.token_id)
    try:
        M2M.tokens.delete(made.token_info.token_id)
    except NotFound as error:
        assert "does not exist" in str(error), error
    else:
        raise AssertionError("a token was deleted twice")
    levels = {entry.group_name: entry.all_permissions for entry in
              M2M.permissions.get("authorization", "tokens").access_control_list}
    assert levels["admins"][0].permission_level.value == "CAN_MANAGE", levels


def main():
    failed = 0
    for function in CHECKS:
        try:
            function()
            print("ok", function.__name__, flush=True)
        except Exception as error:
            failed += 1
            print("FAILED", function.__name__, type(error).__name__, error, flush=True)
    sys.exit(1 if failed else 0)


main()
