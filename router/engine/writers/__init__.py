"""One writer per destination type turns a firing into that type's message.

What an action leaves out comes from the destination (`Destination.defaults`), then from the built-in message.
Secret defaults stay behind: they are merged in when the message is sent.
"""

from typing import TypeAlias, assert_never

from router.domain.destination import (
    AnyDestination,
    AppriseDestination,
    EmailDestination,
    GithubDestination,
    HttpDestination,
    LogDestination,
    SlackDestination,
)
from router.engine.writers.apprise import AppriseWriter, apprise_writer
from router.engine.writers.email import EmailWriter, email_writer
from router.engine.writers.github import CommitWriter, GithubWriter, github_writer
from router.engine.writers.http import HttpWriter, http_writer
from router.engine.writers.log import LogWriter, log_writer
from router.engine.writers.reader import Reader
from router.engine.writers.slack import SlackWriter, slack_writer

Writer: TypeAlias = SlackWriter | HttpWriter | GithubWriter | EmailWriter | LogWriter | AppriseWriter


def writer_of(reader: Reader, destination: AnyDestination) -> Writer:
    """Compile what an action says to a destination."""
    match destination:
        case SlackDestination():
            return slack_writer(reader, destination)
        case HttpDestination():
            return http_writer(reader)
        case GithubDestination():
            return github_writer(reader, destination)
        case EmailDestination():
            return email_writer(reader, destination)
        case LogDestination():
            return log_writer(reader)
        case AppriseDestination():
            return apprise_writer(reader, destination.limits.content)
        case _:
            assert_never(destination)


def is_ordered(writer: Writer) -> bool:
    """Return whether messages about one prompt must go one by one, because a later one builds on an earlier one."""
    return isinstance(writer, CommitWriter) or (isinstance(writer, SlackWriter) and writer.threaded)
