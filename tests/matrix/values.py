# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values at the edges of every type that a server has built in, and of the types that its extensions add."""

from __future__ import annotations

UNICODE = "Zoë 東京 \U0001f418 e\u0301 \u202eאב \ufeff \uffff"
CONTROL = "\t\n\r\x01\x7f \\N \\. \\ ' \" `"

#: Text literals per type; NULL is added to each. A type that is not here fails the matrix, so a new one is noticed.
BUILT_IN = {
    "bool": ["t", "f"],
    "bytea": ["\\x", "\\x00", "\\x00ff27225c0a0d5c4e", "\\x" + "00ff" * 4000],
    "char": ["a", " ", "", "\\"],
    "name": ["", "a", "n" * 63, 'Größe "q"'],
    "int8": ["-9223372036854775808", "9223372036854775807", "0", "-1"],
    "int2": ["-32768", "32767", "0"],
    "int2vector": ["", "1", "-32768 0 32767"],
    "int4": ["-2147483648", "2147483647", "0"],
    "regproc": ["-", "now", "app.half", "0"],
    "regprocedure": ["-", "now()", "app.half(numeric)", "sum(integer)"],
    "regoper": ["0", "||/", "app.<=>"],
    "regoperator": ["0", "+(integer,integer)", "app.<=>(numeric,numeric)", "-(none,bigint)"],
    "regclass": ["-", "pg_class", "app.parents", '"app"."Odd Name"', "4294967295"],
    "regtype": ["-", "integer", "app.mood", "app.mood[]", "timestamp with time zone"],
    "regconfig": ["-", "english", "simple", "app.plain"],
    "regdictionary": ["-", "simple", "english_stem"],
    "regnamespace": ["-", "pg_catalog", "app"],
    "regrole": ["-", "app_owner", '"Odd Role"'],
    "regcollation": ["-", '"C"', '"default"', "app.plain"],
    "text": ["", " ", "a ", "A", "0", "NULL", "\\N", UNICODE, CONTROL],
    "oid": ["0", "4294967295"],
    "tid": ["(0,0)", "(0,1)", "(4294967295,65535)"],
    "xid": ["0", "3", "4294967295"],
    "cid": ["0", "4294967295"],
    "oidvector": ["", "1", "0 4294967295"],
    "json": ['{"b": 1,  "a":1.0, "a": 1.00}', "null", '"\\u00e9\\ud83d\\ude00"', " [ ] ", '"' + "Zoë 東京" + '"', "1e1000"],
    "xml": ["<a/>", "text", "", '<?xml version="1.0"?><a b="ë">東京</a>', '<?xml version="1.0" standalone="yes"?><a/>'],
    "point": ["(0,0)", "(-0,0)", "(Infinity,-Infinity)", "(NaN,1e-300)", "(0.1,0.30000000000000004)"],
    "lseg": ["[(0,0),(0.1,1e300)]", "[(-0,0),(NaN,Infinity)]"],
    "path": ["[(0,0),(1,1),(0.1,2)]", "((0,0),(1,1),(-0,2))", "((Infinity,NaN))"],
    "box": ["(1,1),(0,0)", "(0.1,1e300),(-0,-1e-300)", "(Infinity,1),(-Infinity,0)"],
    "polygon": ["((0,0),(1,1),(0.1,2))", "((-0,NaN))"],
    "line": ["{1,-1,0}", "{0.1,0.2,0.3}", "{-0,1,Infinity}"],
    "circle": ["<(0,0),0>", "<(0.1,-0),1e300>", "<(NaN,1),Infinity>"],
    "float4": ["NaN", "Infinity", "-Infinity", "-0", "0", "0.1", "3.4028235e38", "1.17549435e-38", "16777217"],
    "float8": ["NaN", "Infinity", "-Infinity", "-0", "0", "0.1", "0.30000000000000004", "1.7976931348623157e308", "2.2250738585072014e-308"],
    "money": ["0", "-0.01", "-92233720368547758.08", "92233720368547758.07"],
    "macaddr": ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"],
    "macaddr8": ["00:00:00:00:00:00:00:00", "08:00:2b:ff:fe:01:02:03"],
    "inet": ["0.0.0.0", "255.255.255.255/0", "10.1.2.3/8", "::1", "fe80::1/64", "::ffff:1.2.3.4/128"],
    "cidr": ["0.0.0.0/0", "10.0.0.0/8", "::/0", "2001:db8::/32"],
    "aclitem": ["app_owner=r/app_owner", "=arwdDxt/app_owner", '"Odd Role"=w*/app_owner'],
    "bpchar": ["", "a", "a   ", UNICODE],
    "varchar": ["", "a ", UNICODE, CONTROL],
    "date": ["infinity", "-infinity", "4713-01-01 BC", "0001-12-31 BC", "5874897-12-31", "2000-02-29", "1582-10-10"],
    "time": ["00:00:00", "24:00:00", "23:59:59.999999"],
    "timestamp": ["infinity", "-infinity", "4713-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "1970-01-01 00:00:00.000001"],
    "timestamptz": [
        "infinity", "-infinity", "4713-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00", "2021-03-28 02:30:00+02:30",
        "1883-11-18 12:03:58-05"],
    "interval": [
        "0", "1 mon", "30 days", "720:00:00", "-1 mon +1 day -00:00:00.000001", "178000000 years 11 mons",
        "-178000000 years", "2147483647 days", "-2147483648 days", "2147483647:59:59.999999",
    ],
    "timetz": ["00:00:00+00", "24:00:00-15:59", "00:00:00+15:59:59", "23:59:59.999999-00:30"],
    "bit": ["0", "1"],
    "varbit": ["", "0", "1", "0000000", "010101010101010101010101010101010"],
    "numeric": [
        "NaN", "0", "0.000", "1", "1.0", "1.5", "1.50", "-1.500", "1e-1000", "1e4000", "9" * 200 + "." + "9" * 200,
        "0.1", "100000000000000000000", "10000", "0.0001",
    ],
    "refcursor": ["", "<unnamed portal 1>"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "txid_snapshot": ["10:20:10,14,15", "1:1:", "9223372036854775806:9223372036854775807:"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848"],
    "tsvector": ["", "'a':1A,2B,16383 'b''c':3 'd'", "'Größe':4 '東京'"],
    "tsquery": ["", "'a' & !'b' | 'c':*AB", "'a' <2> ('b' | 'Größe')"],
    "jsonb": [
        "{}", "[]", "null", "0", "0.5", "0.50", "1.0", "1e3", "-0", "9" * 100, '""', '{"b": 1, "a": {"aa": [1, 2.00, null, true]}}',
        '"\\u00e9 \\\\ \\" \\n 東京"', '{"": ""}',
    ],
    "int4range": ["empty", "(,)", "[1,10)", "(,0]", "[2147483646,2147483647)"],
    "int8range": ["empty", "(,)", "[-9223372036854775808,9223372036854775807)"],
    "numrange": ["empty", "(,)", "[1.0,1.00]", "(1.50,2.5]", "[NaN,NaN]"],
    "tsrange": ["empty", "(,)", "[-infinity,infinity]", "[2000-01-01,2000-01-01 00:00:00.000001)"],
    "tstzrange": ["empty", "(,)", "[-infinity,infinity)", '["2000-01-01 00:00:00+05:45",)'],
    "daterange": ["empty", "(,)", "[2000-01-01,2000-02-29]", "[-infinity,infinity]"],
    "jsonpath": ["$", "lax $.a[*] ? (@.b > 1.50 && @ like_regex \"^x\" flag \"i\")", "strict $.\"é\".size()"],
    "pg_snapshot": ["10:20:10,14,15", "1:1:"],
    "xid8": ["0", "3", "18446744073709551615"],
    "int4multirange": ["{}", "{[1,3),[5,)}", "{(,)}"],
    "int8multirange": ["{}", "{[1,3),[5,9223372036854775807)}"],
    "nummultirange": ["{}", "{[1.0,1.50),(2.500,3]}"],
    "tsmultirange": ["{}", "{[2000-01-01,2000-01-02),[2001-01-01,infinity]}"],
    "tstzmultirange": ["{}", '{["2000-01-01 00:00:00+05:45","2000-01-02 00:00:00-08"),[2001-01-01,)}'],
    "datemultirange": ["{}", "{[2000-01-01,2000-01-03),[2001-01-01,)}"],
}  # fmt: skip

#: More values of types that learnt something later: {type: (version, literals)}.
LATER = {
    "numeric": (140000, ["Infinity", "-Infinity"]),
    "numrange": (140000, ["[-Infinity,Infinity]"]),
    "char": (160000, ["\\377", "\\200"]),
    "interval": (170000, ["infinity", "-infinity"]),
}

#: Types that no table can bring over: the server refuses their input, or newer versions do not have them.
NOT_MOVABLE = frozenset(
    "pg_node_tree pg_ndistinct pg_dependencies pg_mcv_list pg_brin_bloom_summary pg_brin_minmax_multi_summary "
    "gtsvector abstime reltime tinterval smgr".split()
)

#: Types whose arrays cannot be written with ARRAY[...], because their elements look like arrays themselves.
LIKE_ARRAYS = frozenset(["int2vector", "oidvector"])

#: {extension: {type: literals}}; an extension that one of the servers lacks is left out.
CONTRIB = {
    "hstore": {"hstore": ["", '"a"=>"1", "b"=>NULL, "Größe"=>"東京", ""=>""']},
    "citext": {"citext": ["", "Mixed Case", "MIXED CASE", "Größe"]},
    "ltree": {
        "ltree": ["", "Top.Science.Astronomy", "a1.b_2"],
        "lquery": ["*.Science@.*{1,2}", "Top.*"],
        "ltxtquery": ["Europe & Russia*@ & !Transportation"],
    },
    "cube": {"cube": ["(0)", "(0.1,0.2,0.3)", "(-0,1),(1e300,NaN)", "()"]},
    "isn": {
        "isbn": ["978-0-393-04002-9"],
        "isbn13": ["978-0-393-04002-9"],
        "issn": ["1436-4522"],
        "ismn": ["M-060-11561-5"],
        "ean13": ["220-012345678-6"],
        "upc": ["036000291452"],
    },
    "seg": {"seg": ["6.25", "6.2 .. 6.50", "<1.0", "~5.0", "5.0 .. ~7.5", "1 .."]},
    "intarray": {"query_int": ["1&2|!3", "(1|2)&3"]},
    "lo": {"lo": ["0", "4294967295"]},
}
