#!/usr/bin/python3
"""A secret at every place of every evidence format is nowhere in a store that was made with --redact, as TAP: redaction_formats.py INQUEST

Each format is a function that writes real-looking evidence, with secrets wherever text can stand in it: by their form (a JWT, a vendor's key, an
address), by their name (a password), in a URL. IQ_TEST_SEED repeats a run."""
import base64
import gzip
import io
import json
import pathlib
import random
import shutil
import struct
import sys
import tarfile
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent)]
from planting import check_absent, email, inquest, jwt, letters, tap, vendor
from tap import seed

seed()
T = "2026-11-24T03:27:59.123456789Z"
MS = 1795549086570
ID = "4f3a9c2b7d10" + "ab" * 26


class Plant:
    """Gives secrets and remembers them."""
    def __init__(self):
        self.cores = []

    def form(self, *kinds):
        text, found = random.choice(kinds or (jwt, vendor, email))()
        self.cores += found
        return text

    def opaque(self):
        self.cores.append(letters(24))
        return self.cores[-1]

    def url(self, scheme="https"):
        return f"{scheme}://app:{self.opaque()}@chat:8443/ws?token={self.opaque()}&x=1"

    def words(self):
        return f"GET {self.url()} by {self.form()} password={self.opaque()} Authorization: Bearer {self.opaque()}"

    def json(self):
        return json.dumps({"level": "error", "type": "login", "password": self.opaque(), "url": self.url("wss"), "said": f"<{self.form()}>",
                           "headers": {"Authorization": "Bearer " + self.opaque(), "Cookie": "sid=" + self.opaque()}, "deep": json.dumps({"token": self.opaque()})})

    def text(self):
        return random.choice([self.words, self.json])()


def lines(*texts):
    return "\n".join(texts) + "\n"


def access(p):
    return lines(*[f'203.0.113.7 - {p.form(email)} [24/Nov/2026:03:27:59 +0000] "GET /ws?token={p.opaque()}&m={p.form(email)} HTTP/1.1" 200 12 "{p.url()}" "agent {p.form()}"' for _ in range(3)])


def cloudwatch(p):
    return json.dumps({"events": [{"logStreamName": f"s/{p.form()}", "timestamp": MS + i, "message": p.text() + "\n", "ingestionTime": MS + 9, "eventId": p.form()} for i in range(4)]}, indent=4)


def compose(p):
    return lines(f"api-1  | {T} {p.words()}", f"api-1  | {T} {p.json()}", f"web-1  | {p.json()}", f"api-1  | {T} Traceback (most recent call last):",
                 f'api-1  | {T}   File "{p.form(email)}", line 1', f"api-1  | {T} ValueError: {p.form()}", f"own line {p.form()}", "api-1 exited with code 1")


def cri(p):
    one, two = "x" * 100 + " " + p.form(), p.form(jwt)
    half = len(two) // 2
    return lines(f"{T} stdout F {p.json()}", f"{T} stderr F {p.words()}", f"{T} stdout P {one} {two[:half]}", f"{T} stderr F between {p.form()}", f"{T} stdout F {two[half:]} end",
                 f"garbage {p.form()}", f"{T} stdout F last")


def docker_events(p):
    events = [{"Type": "container", "Action": f"exec_create: sh -c 'login --password={p.opaque()} {p.form()}'", "Actor": {"ID": ID, "Attributes": {"name": "api", "image": f"registry/{p.form(vendor)}:1", "token": p.opaque(), "label": p.url()}}, "timeNano": MS * 10**6},
              {"Type": "container", "Action": "die", "Actor": {"ID": ID, "Attributes": {"exitCode": "1", "name": p.form(email), "com.docker.compose.project": p.form(), "com.docker.compose.service": "api"}}, "timeNano": MS * 10**6 + 5},
              {"Type": "volume", "Action": "create", "Actor": {"ID": p.form(), "Attributes": {"password": p.opaque()}}, "timeNano": MS * 10**6 + 6}]
    return lines(*map(json.dumps, events))


def docker_events_text(p):
    return lines(f"{T} container exec_create: sh -c 'login --password={p.opaque()} {p.form()}' {ID} (image=x/{p.form(vendor)}, name={p.form(email)}, token={p.opaque()})",
                 f"{T} container die {ID} (exitCode=1, name={p.form()})", f"{T} volume create {ID} (driver={p.form()}, password={p.opaque()})", f"damaged {p.form()}")


def docker_inspect(p):
    state = {"Id": ID, "Name": f"/{p.form(vendor)}", "Created": T, "Path": "sh", "Args": ["-c", p.words()], "RestartCount": 0,
             "State": {"Status": "exited", "ExitCode": 1, "Error": p.words(), "StartedAt": "2026-11-24T03:28:00.5Z", "FinishedAt": "2026-11-24T03:28:09.5Z",
                       "Health": {"Log": [{"End": "2026-11-24T03:28:05.5Z", "ExitCode": 1, "Output": p.words()}, {"End": "2026-11-24T03:28:06.5Z", "ExitCode": 1, "Output": p.json()}]}},
             "Config": {"Image": f"x/{p.form(vendor)}:1", "Env": [f"DB_PASSWORD={p.opaque()}", f"DATABASE_URL={p.url('postgres')}", f"API_TOKEN={p.opaque()}", p.form()],
                        "Labels": {"com.docker.compose.project": p.form(), "com.docker.compose.service": "api", "secret": p.opaque(), "mail": p.form(email)}}}
    return json.dumps([state, {"Id": "not a state", "password": p.opaque()}], indent=4)


def docker_json(p):
    record = lambda text: json.dumps({"log": text + "\n", "stream": "stdout", "attrs": {"tag": p.form(), "password": p.opaque()}, "time": T})
    return lines(record(p.json()), record(p.words()), f"\0\0 not JSON {p.form()} password={p.opaque()}", record("last"))


def docker_ps(p):
    return lines(json.dumps({"ID": ID, "Image": f"x/{p.form(vendor)}", "Command": p.words(), "Labels": f"password={p.opaque()},com.docker.compose.project={p.form()},com.docker.compose.service=a", "Names": p.form(email), "State": "running", "Status": f"Up {p.form()}"}))


def docker_text(p):
    return lines(f"{T} {p.words()}", f"{T} {p.json()}", f"\x1b[31mcontinued {p.form()}\x1b[0m", f"{T} last")


def google_cloud(p):
    entry = lambda i, **more: {"insertId": f"{i}", "logName": f"projects/p/logs/{p.form(vendor)}", "timestamp": T, "resource": {"type": "cloud_run_revision", "labels": {"service_name": p.form(), "token": p.opaque()}},
                               "labels": {"mail": p.form(email), "password": p.opaque()}, "trace": f"projects/p/traces/{p.form(vendor)}", "spanId": "1", **more}
    return json.dumps([entry(1, textPayload=p.words()), entry(2, jsonPayload=json.loads(p.json())), entry(3, protoPayload={"authorization": p.opaque(), "request": {"token": p.opaque()}}),
                       entry(4, httpRequest={"requestMethod": "GET", "requestUrl": p.url(), "status": 200, "latency": "0.1s", "remoteIp": p.form(email), "userAgent": p.form()}),
                       entry(5, textPayload="x", sourceLocation={"file": p.form()}, operation={"id": p.form()})])


def har(p):
    pairs = lambda: [{"name": "Authorization", "value": "Bearer " + p.opaque()}, {"name": "Cookie", "value": "sid=" + p.opaque()}, {"name": "X-Note", "value": p.form()}]
    message = lambda i, opcode, data: {"type": "send", "time": 1795549086.5 + i, "opcode": opcode, "data": data}
    socket = {"startedDateTime": T, "time": 1, "_resourceType": "websocket", "request": {"method": "GET", "url": p.url("wss"), "headers": pairs(), "cookies": [{"name": "sid", "value": p.opaque()}], "queryString": [{"name": "token", "value": p.opaque()}]},
              "response": {"status": 101, "headers": pairs(), "_error": p.form()}, "_webSocketMessages": [message(0, 1, p.json()), message(1, 1, p.words()), message(2, 2, base64.b64encode((p.json()).encode() + b"\xff").decode()), message(3, 8, base64.b64encode(b"\x03\xe8" + p.form().encode()).decode()), message(4, -1, p.form())]}
    request = {"startedDateTime": T, "time": 1, "request": {"method": "POST", "url": p.url(), "headers": pairs(), "postData": {"mimeType": "application/x-www-form-urlencoded", "text": f"user=u&password={p.opaque()}", "params": [{"name": "password", "value": p.opaque()}]}},
               "response": {"status": 200, "headers": pairs(), "cookies": [], "content": {"mimeType": "application/json", "text": p.json()}}}
    return json.dumps({"log": {"version": "1.2", "creator": {"name": p.form(), "version": "1"}, "pages": [{"id": "p", "title": p.url()}], "entries": [socket, request]}})


def har_messages(p):
    return lines(*[json.dumps({"type": kind, "time": MS + i, "opcode": 1, "data": data}) for i, (kind, data) in enumerate([("send", p.json()), ("receive", p.words()), ("receive", p.form())])])


def journal_export(p):
    field = lambda name, data: f"{name}\n".encode() + struct.pack("<Q", len(data)) + data + b"\n"
    head = lambda i: f"__CURSOR=s=1;i={i}\n__REALTIME_TIMESTAMP={MS * 1000 + i}\n_BOOT_ID={'ab' * 16}\nPRIORITY=3\nSYSLOG_IDENTIFIER=app\n".encode()
    entries = [head(1) + f"MESSAGE={p.words()}\n_CMDLINE=app --password={p.opaque()} {p.form()}\nPASSWORD={p.opaque()}\nUSER_MAIL={p.form(email)}\n_EXE={p.form()}\n".encode(),
               head(2) + field("MESSAGE", (p.json() + "\n" + p.form()).encode()) + field("BLOB", b"\xff\x00" + p.form(vendor).encode() + b"\x01"),
               head(3) + f"MESSAGE=x\nSYSLOG_IDENTIFIER={p.form()}\n".encode(), f"garbage {p.form()}\n".encode()]
    return b"\n".join(entries) + b"\n"


def journal_json(p):
    entry = lambda i, **more: json.dumps({"__CURSOR": f"s=1;i={i}", "__REALTIME_TIMESTAMP": str(MS * 1000 + i), "_BOOT_ID": "ab" * 16, "PRIORITY": "3", "SYSLOG_IDENTIFIER": "app", **more})
    return lines(entry(1, MESSAGE=p.words(), PASSWORD=p.opaque(), _CMDLINE=f"app --token={p.opaque()} {p.form()}"), entry(2, MESSAGE=list((p.json() + "\n" + p.form()).encode())),
                 entry(3, MESSAGE=p.json(), BLOB=[255, 0, *p.form(vendor).encode()], NOTE=[p.form(), p.form()]), f"not JSON {p.form()}")


def jsonl(p):
    return lines(p.json()[:-1] + ',"time":"2026-11-24T03:27:59Z"}', json.dumps({"ts": 1795549086.5, "msg": p.words(), "client_secret": p.opaque()}), f"not JSON {p.form()}")


def kubectl_text(p):
    return lines(f"[pod/chat-1/api] {T} {p.words()}", f"[pod/chat-1/api] {p.json()}", f"[pod/{p.form(vendor)}/api] x", f"damaged {p.form()}")


def kubernetes(p):
    pod = {"kind": "Pod", "metadata": {"namespace": "shop", "name": p.form(vendor), "annotations": {"token": p.opaque(), "note": p.form()}},
           "spec": {"containers": [{"name": "api", "args": [p.words()], "env": [{"name": "DB_PASSWORD", "value": p.opaque()}]}]},
           "status": {"startTime": "2026-11-24T03:00:00Z", "containerStatuses": [{"name": "api", "image": f"x/{p.form(vendor)}", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": p.words()}},
                      "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": p.json(), "startedAt": "2026-11-24T03:05:00Z", "finishedAt": "2026-11-24T03:07:11Z"}}}]}}
    event = {"kind": "Event", "reason": "BackOff", "type": "Warning", "message": p.words(), "count": 1, "firstTimestamp": "2026-11-24T03:07:11Z", "lastTimestamp": "2026-11-24T03:07:11Z",
             "involvedObject": {"kind": "Pod", "namespace": "shop", "name": p.form(vendor), "fieldPath": "spec.containers{api}"}, "source": {"component": p.form()}}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, event]})


def logfmt(p):
    return lines(*[f'time=2026-11-24T03:27:5{i}Z level=error msg="said {p.form()}" password={p.opaque()} url="{p.url()}" token="{p.opaque()}" run_id={p.form(vendor)} event={p.form(email)}' for i in range(3)])


def otlp(p):
    value = lambda text: {"stringValue": text}
    record = lambda i, body: {"timeUnixNano": str(MS * 10**6 + i), "severityText": "ERROR", "body": body, "eventName": p.form(), "traceId": "ab" * 16, "attributes": [{"key": "password", "value": value(p.opaque())},
        {"key": "session.id", "value": value(p.form(vendor))}, {"key": "http.url", "value": value(p.url())}, {"key": "list", "value": {"arrayValue": {"values": [value(p.form())]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "token", "value": value(p.opaque())}, {"key": "n", "value": value(p.form())}]}}}]}
    return lines(json.dumps({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": value(p.form(vendor))}, {"key": "api_key", "value": value(p.opaque())}]}, "scopeLogs": [{"scope": {"name": p.form()}, "logRecords": [
        record(1, value(p.words())), record(2, value(p.json())), record(3, {"kvlistValue": {"values": [{"key": "password", "value": value(p.opaque())}, {"key": "note", "value": value(p.form())}]}})]}]}]}))


def postgres_csv(p):
    return lines(f'2026-11-24 03:28:01.456 UTC,"{p.form(email)}","orders",51,"10.0.0.7:1",65a0.33,7,"SELECT",2026-11-24 03:28:00 UTC,3/12,0,ERROR,42P01,"{p.words()}",,,,,,"select \'{p.form()}\'', f"where password = '{p.form()}'\",15,,\"{p.form()}\",\"client backend\",,0")


def syslog(p):
    return lines(f'<34>1 2026-11-24T03:27:59.123Z host app 4711 {p.form(vendor)[:32]} [ex@1 token="{p.opaque()}" note="{p.form()}" mail="{p.form(email)}"] {p.words()}', f"<34>1 2026-11-24T03:27:59.123Z {p.form(vendor)} app - - - {p.json()}",
                 f"<13>Nov 24 03:27:59 web1 app[12]: {p.words()}", f"damaged {p.form()}")


def text(p):
    return lines(f"2026-11-24 03:27:59,123 ERROR {p.words()}", f"  at {p.form(email)}", f"2026-11-24 03:28:59,123 ERROR {p.json()}", f"2026-11-24 03:28:01.456 UTC [51] ERROR:  {p.form()}", f"2026-11-24 03:28:01.456 UTC [51] DETAIL:  Key (email)=({p.form(email)}) already exists.")


def xes(p):
    attribute = lambda key, value: f'<string key="{key}" value="{value.replace("&", "&amp;")}"/>'
    event = lambda: "<event>" + attribute("concept:name", p.form()) + attribute("concept:instance", p.form(vendor)) + attribute("password", p.opaque()) + attribute("org:resource", p.form(email)) + \
        attribute("url", p.url()) + f'<list key="l">{attribute("n", p.form())}</list><container key="c">{attribute("token", p.opaque())}</container>' + '<date key="time:timestamp" value="2026-11-24T03:27:59Z"/></event>'
    return f'<?xml version="1.0"?><log xes.version="2.0">{attribute("concept:name", p.form())}<trace>{attribute("concept:name", p.form(vendor))}{attribute("secret", p.opaque())}{event()}{event()}</trace><trace>{attribute("concept:name", "2")}<broken {p.form(vendor)}></trace></log>'


def collected(p):
    return lines("collected docker", "began 1795549086", f"uname {p.form()}", f"DOCKER_HOST {p.url('tcp')}")


FORMATS = [access, cloudwatch, compose, cri, docker_events, docker_events_text, docker_inspect, docker_json, docker_ps, docker_text, google_cloud, har, har_messages, journal_export, journal_json, jsonl,
           kubectl_text, kubernetes, logfmt, otlp, postgres_csv, syslog, text, xes, collected]


def bytes_of(data):
    return data.encode() if isinstance(data, str) else data


def check_format(work, make):
    name = make.__name__.replace("_", "-")
    plant = Plant()
    # Its name is a place as well.
    directory = work / "evidence" / plant.form(email)
    directory.mkdir(parents=True)
    file = directory / f"{plant.form(vendor)}.evidence"
    file.write_bytes(bytes_of(make(plant)))
    done = inquest(work, "ingest", "--redact", file, "--format", name, "--store", work / "case")
    tap.point(done.returncode in (0, 3) and b"secrets replaced" in done.stdout, f"{name} is taken in", done.stdout + done.stderr)
    check_absent(name, work, work / "case", plant.cores)
    done = inquest(work, "store", "verify", work / "case")
    tap.point(done.returncode == 0, f"{name}: the store verifies", done.stdout + done.stderr)


def check_detected(work):
    """All of them in one archive, by what they look like."""
    out, cores = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w") as tar:
        for make in FORMATS:
            plant = Plant()
            data = gzip.compress(bytes_of(make(plant)))
            member = tarfile.TarInfo(f"{plant.form(email)}/{make.__name__}-{plant.form(vendor)}.log.gz")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
            cores += plant.cores
    done = inquest(work, "ingest", "--redact", "-", "--store", work / "case", data=out.getvalue())
    tap.point(done.returncode in (0, 3), "an archive of all of them is taken in", done.stderr)
    check_absent("an archive of all of them", work, work / "case", cores)


def in_work(test, *arguments):
    work = pathlib.Path(tempfile.mkdtemp(prefix="inquest-redaction-"))
    (work / "config").mkdir()
    try:
        test(work, *arguments)
    finally:
        shutil.rmtree(work)


for make in FORMATS:
    in_work(check_format, make)
in_work(check_detected)
tap.end()
