"""A whole result, from the statement to the last byte at the reader: 200,000 rows of 3 columns (the shape of arrowbricks'
own benchmark) and 1,400,000 rows of 34 (TPC-DS `catalog_sales`), as JSON, NDJSON and CSV. The stand-in has every chunk
ready; *chunks alone* is a client that takes their bytes and does nothing with them."""

import shutil

import answers
from contestants import FORMATS, Causeway, Direct, services
from measures import Figures, number, shown, table
from rig import DATA, Load, say

# Below this the stand-in, and not the contestant, may be what is measured.
CEILING = 3


def columns_3():
    return [{"name": "id", "type": "BIGINT"}, {"name": "doubled", "type": "BIGINT"}, {"name": "label", "type": "STRING"}]


def columns_34():
    keys = ("sold_date sold_time ship_date bill_customer bill_cdemo bill_hdemo bill_addr ship_customer ship_cdemo "
            "ship_hdemo ship_addr call_center catalog_page ship_mode warehouse item promo").split()
    amounts = ("wholesale_cost list_price sales_price ext_discount_amt ext_sales_price ext_wholesale_cost ext_list_price "
               "ext_tax coupon_amt ext_ship_cost net_paid net_paid_inc_tax net_paid_inc_ship net_paid_inc_ship_tax "
               "net_profit").split()
    columns = [{"name": f"cs_{key}_sk", "type": "INT", "nulls": place > 0} for place, key in enumerate(keys)]
    columns += [{"name": "cs_order_number", "type": "BIGINT"}, {"name": "cs_quantity", "type": "INT", "nulls": True}]
    return columns + [{"name": f"cs_{name}", "type": "DECIMAL(7,2)", "nulls": True} for name in amounts]


# (rows, rows with --quick, rows in a chunk): chunks of about 2 and 8 MB, as the service makes them.
SHAPES = {
    "200,000 x 3": (columns_3, 200_000, 200_000, 50_000),
    "1,400,000 x 34": (columns_34, 1_400_000, 100_000, 25_000),
}


def run(context):
    facts, pages = {}, []
    for shape, (columns, rows, quick_rows, chunk_rows) in SHAPES.items():
        rows = context.pick(rows, quick_rows)
        statement = f"SELECT * FROM generated /* {shape} */"
        reply = {"statement": statement, "columns": columns(), "rows": rows, "chunkRows": chunk_rows, "preEncoded": True}
        context.stack.tell("generated", reply)
        measured = one_shape(context, shape, statement, columns(), rows)
        facts[shape] = {format: {name: figures if isinstance(figures, str) else figures.as_json()
                                 for name, figures in found.items()} for format, found in measured.items()}
        for format, found in measured.items():
            pages.append(f"**{rows:,} rows x {len(columns())}, {format.upper()}**\n\n{markdown(found, rows)}")
    return facts, "\n\n".join(pages)


def one_shape(context, shape, statement, columns, rows):
    contestants = [
        Direct(context.stack, "chunks alone", "chunks_alone", FORMATS),
        Causeway(context.stack, context.handler),
        *services(context.stack, context.wanted),
    ]
    if context.wanted("arrowbricks, no service"):
        contestants.append(Direct(context.stack, "arrowbricks, no service", "arrowbricks_direct", ("ndjson",)))
    measured = {}
    try:
        for format in FORMATS:
            found = compared(contestants, statement, format, columns, rows)
            for round in range(context.rounds):
                for contestant in contestants:
                    if isinstance(found.get(contestant.name), Figures):
                        found[contestant.name].add(**measure(contestant, statement, format))
                say(f"  {shape}, {format}: round {round + 1} of {context.rounds}")
            measured[format] = found
    finally:
        for contestant in contestants:
            contestant.stop()
    return measured


def compared(contestants, statement, format, columns, rows):
    """Who answers the same as the first one that answers; a sentence for who does not. Also the warm-up."""
    found, first = {}, None
    folder = DATA / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    for contestant in contestants:
        if format not in contestant.formats:
            continue
        path = folder / f"{contestant.name.replace(' ', '-').replace(',', '')}.{format}"
        try:
            read(contestant, statement, format, path)
            if contestant.name != "chunks alone":
                values = answers.read(path, format, columns)
                if values.num_rows != rows:
                    raise RuntimeError(f"{values.num_rows} rows, not {rows}")
                first = first or values
                if different := answers.differences(first, values):
                    raise RuntimeError("differs: " + "; ".join(different))
            found[contestant.name] = Figures()
        except Exception as error:
            found[contestant.name] = str(error)[:300].replace("\n", " ").replace("|", "/")
            say(f"  {contestant.name}, {format}: not measured: {found[contestant.name]}")
    shutil.rmtree(folder)
    return found


def read(contestant, statement, format, out=None):
    if isinstance(contestant, Direct):
        return contestant.read(statement, format, out)
    return Load.run("read", contestant.big(statement, format), **({"out": out} if out else {}))


def measure(contestant, statement, format):
    process = contestant.process
    process.forget_peak()
    before = process.cpu_seconds()
    figures = read(contestant, statement, format)
    cpu = process.cpu_seconds() - before
    return {
        "seconds": figures["seconds"],
        "first_byte": figures["firstByteSeconds"],
        "cpu_seconds": cpu,
        "peak_mib": process.peak_mib(),
        "bytes": figures["bytes"],
    }


def markdown(found, rows):
    measured = {name: figures for name, figures in found.items() if isinstance(figures, Figures)}
    contestants = {name: figures for name, figures in measured.items() if name != "chunks alone"}
    if not contestants:
        return "nobody answered"
    fastest = min(figures["seconds"].median for figures in contestants.values())
    ours = contestants.get("Causeway")
    lines = []
    for name, figures in found.items():
        if isinstance(figures, str):
            lines.append([name, f"not measured: {figures}"] + [""] * 6)
            continue
        seconds = figures["seconds"].median
        ceiling = name == "chunks alone"
        lines.append([
            name,
            shown(figures["seconds"], " s"),
            "" if ceiling or not ours else f"{seconds / ours['seconds'].median:.2f}×",
            "" if ceiling else number(figures["first_byte"].median * 1000) + " ms",
            "" if ceiling else number(rows / seconds / 1e6, 2) + " M/s",
            shown(figures["cpu_seconds"], " s"),
            "" if ceiling else number(max(figures["peak_mib"].rounds), 0) + " MiB",
            number(figures["bytes"].median / 1e6, 1) + " MB",
        ])
    page = table(["", "time", "of Causeway's", "first byte", "rows", "CPU", "peak RSS", "size"], lines)
    if alone := measured.get("chunks alone"):
        reach = fastest / alone["seconds"].median
        verdict = "" if reach >= CEILING else f", **less than {CEILING}: these figures do not count**"
        page += f"\n\nThe stand-in alone is {reach:.1f} times as fast as the fastest{verdict}."
    return page
