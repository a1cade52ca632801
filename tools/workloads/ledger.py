"""Prints as a Java service would, for workload D: ledger.py SEED. Runs until its output is closed."""
import random
import signal
import sys
import time
import uuid

RNG = random.Random(int(sys.argv[1]))
PACKAGES = ("com.shop.ledger", "com.shop.ledger.posting", "com.shop.payments.client", "org.springframework.web.servlet",
            "org.springframework.transaction.interceptor", "org.hibernate.engine.jdbc.internal", "org.apache.tomcat.util.net", "java.base/java.util.concurrent")
CLASSES = ("PostingService", "AccountRepository", "DispatcherServlet", "TransactionInterceptor", "JdbcCoordinatorImpl", "ThreadPoolExecutor", "NioEndpoint",
           "SettlementJob", "RetryTemplate", "LedgerController")
METHODS = ("invoke", "post", "findById", "doDispatch", "invokeWithinTransaction", "executeUpdate", "runWorker", "run", "settle", "doExecute", "apply")
ERRORS = ("java.lang.IllegalStateException: account {account} is locked by batch {number}",
          "java.net.SocketTimeoutException: Read timed out after {ms} ms",
          "org.postgresql.util.PSQLException: ERROR: deadlock detected\n  Detail: Process {number} waits for ShareLock on transaction {ms}",
          "com.shop.payments.client.DeclinedException: payment {uuid} declined: code {small}")
FRAMES = [f"\tat {RNG.choice(PACKAGES)}.{name}.{RNG.choice(METHODS)}({name}.java:{RNG.randint(20, 900)})" for name in CLASSES for _ in range(14)]
LINES = (
    (30, "INFO ", "posting.PostingService", "posted {uuid} account={account} amount={cents} EUR balance={cents}"),
    (20, "DEBUG", "AccountRepository", "select account {account} version {small} took {ms} ms"),
    (10, "INFO ", "SettlementJob", "batch {number}: {small} of {small} entries settled, {ms} ms"),
    (6, "WARN ", "payments.client.RetryTemplate", "attempt {small} for payment {uuid} failed, next in {ms} ms"),
    (2, "TRACE", "LedgerController", "-> POST /ledger/entries Idempotency-Key: {uuid} from 10.0.{byte}.{byte}"),
)


def fill(text):
    return text.format(uuid=uuid.UUID(int=RNG.getrandbits(128), version=4), account=f"DE{RNG.getrandbits(60) % 10**18:018d}", cents=f"{int(RNG.lognormvariate(8, 1)) / 100:.2f}",
                       ms=int(RNG.expovariate(1 / 90)), number=RNG.randint(10_000, 99_999), small=RNG.randint(1, 60), byte=RNG.randrange(256))


def head(level, logger):
    now = time.time()
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))},{int(now * 1000) % 1000:03d} {level} [http-nio-8080-exec-{RNG.randint(1, 12)}] c.s.l.{logger} - "


def trace():
    """A stack trace with causes, as Throwable.printStackTrace() has it: each cause shares the outer frames."""
    begin = RNG.randrange(40)
    frames = FRAMES[begin:begin + RNG.randint(12, 40)]
    text = head("ERROR", "LedgerController") + "request failed\n" + fill(RNG.choice(ERRORS)) + "\n" + "\n".join(frames)
    for _ in range(RNG.choice((0, 1, 1, 2))):
        own = RNG.sample(FRAMES, RNG.randint(2, 6))
        text += "\nCaused by: " + fill(RNG.choice(ERRORS)) + "\n" + "\n".join(own) + f"\n\t... {len(frames)} more"
    return text


def dump():
    """A line that Docker splits."""
    return head("DEBUG", "SettlementJob") + "entries: [" + ", ".join(fill("{{id={uuid}, account={account}, cents={cents}}}") for _ in range(RNG.randint(150, 700))) + "]"


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    weights = [line[0] for line in LINES]
    while True:
        kind = RNG.random()
        if kind < 0.004:
            print(trace())
        elif kind < 0.0042:
            print(dump())
        else:
            _, level, logger, text = RNG.choices(LINES, weights)[0]
            print(head(level, logger) + fill(text))


main()
