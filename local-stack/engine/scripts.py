"""A job's Python task: a script with `spark.sql`, `dbutils.widgets.get` and `dbutils.notebook.exit`, as a notebook has."""

import io
import json
import traceback

import failures
from lakehouse import run as run_statement


class _Exit(Exception):
    def __init__(self, value):
        self.value = value


class _Frame:
    def __init__(self, rows):
        self._rows = rows

    def collect(self):
        return self._rows


class _Spark:
    def __init__(self, lakehouse, job):
        self._lakehouse, self._job = lakehouse, job

    def sql(self, statement, args=None):
        """Rows as dicts of cell text, since that is what the engine's results are."""
        named = [{"name": name, "value": None if value is None else str(value)} for name, value in (args or {}).items()]
        session = self._lakehouse.session("main", "default", "UTC")
        try:
            result = run_statement(
                self._lakehouse, self._job.use(session), {"statement": statement, "parameters": named}
            )
        finally:
            self._job.release()
            session.close()
        names = [column["name"] for column in result.columns or []]
        return _Frame([dict(zip(names, row)) for _, text in result.chunks for row in json.loads(text)])


class _Widgets:
    def __init__(self, parameters):
        self._parameters = parameters

    def get(self, name):
        if name not in self._parameters:
            raise KeyError(f"InputWidgetNotDefined: No input widget named {name} is defined")
        return self._parameters[name]


class _Notebook:
    @staticmethod
    def exit(value):
        raise _Exit(str(value))


class _Utilities:
    def __init__(self, parameters):
        self.widgets = _Widgets(parameters)
        self.notebook = _Notebook()


def run(lakehouse, job, request):
    logs = io.StringIO()

    def write(*items, sep=" ", end="\n", **_):
        logs.write(sep.join(map(str, items)) + end)

    names = {
        "__name__": "__main__",
        "spark": _Spark(lakehouse, job),
        "dbutils": _Utilities(request.get("parameters") or {}),
        "print": write,
    }
    try:
        exec(compile(request["source"], request.get("name") or "task.py", "exec"), names)
    except _Exit as done:
        return {"result": done.value, "logs": logs.getvalue()}
    except failures.Canceled:
        raise
    except BaseException as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "trace": "".join(traceback.format_exception(error)),
            "logs": logs.getvalue(),
        }
    return {"result": None, "logs": logs.getvalue()}
