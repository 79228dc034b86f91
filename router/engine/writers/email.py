"""E-mails."""

from collections.abc import Iterable

from msgspec import Struct

from router.domain.destination import ContentShown, EmailDestination
from router.domain.message import EmailMessage
from router.engine.context import Context
from router.engine.defaults import secret_part
from router.engine.template import Template
from router.engine.writers import email_builtin
from router.engine.writers.reader import Reader
from router.engine.writers.scene import Scene, Skipped, thread_of


class EmailWriter(Struct, frozen=True, kw_only=True):
    """`recipients_are_secret`: they stay in the destination until the mail is sent."""

    recipients: tuple[Template, ...]
    recipients_are_secret: bool
    cc: tuple[Template, ...]
    subject: Template | None
    text: Template | None
    html: Template | None
    headers: dict[str, Template]
    allowed_domains: tuple[str, ...]
    shown: ContentShown

    def message(self, scene: Scene) -> EmailMessage:
        recipients = self._addresses(self.recipients, scene.context)
        if not recipients and not self.recipients_are_secret:
            raise Skipped("no recipient is within the destination's `allowed_domains`")
        html = self.html.render(scene.context) if self.html else None
        if html is None and self.text is None:
            html = email_builtin.html(scene.told, scene.setting, self.shown)
        return EmailMessage(
            recipients=recipients,
            cc=self._addresses(self.cc, scene.context),
            subject=(
                self.subject.render(scene.context) if self.subject else email_builtin.subject(scene.told, scene.setting)
            ),
            text=(
                self.text.render(scene.context)
                if self.text
                else email_builtin.text(scene.told, scene.setting, self.shown)
            ),
            html=html,
            headers={name: value.render(scene.context) for name, value in self.headers.items()},
            thread=thread_of(scene.told),
        )

    def _addresses(self, templates: Iterable[Template], context: Context) -> tuple[str, ...]:
        """Return the addresses; those that came from a template only within the allowed domains."""
        found: list[str] = []
        for template in templates:
            address = template.render(context).strip()
            if template.static or address.rpartition("@")[2].lower() in self.allowed_domains:
                found.append(address)
        return tuple(dict.fromkeys(found))


def email_writer(reader: Reader, destination: EmailDestination) -> EmailWriter:
    recipients = reader.list_of_templates("recipients", "header")
    cc = reader.list_of_templates("cc", "header")
    secret = not recipients and "recipients" in secret_part(destination.defaults)
    if not recipients and not secret and not any(path[-1:] == ("recipients",) for path, _ in reader.faults):
        reader.fault((), f'nobody to write to: give `recipients` here or in destination "{destination.name}"')
    if not destination.allowed_domains and not all(template.static for template in (*recipients, *cc)):
        reader.fault(
            ("recipients",), f'a templated recipient needs `allowed_domains` in destination "{destination.name}"'
        )
    return EmailWriter(
        recipients=recipients,
        recipients_are_secret=secret,
        cc=cc,
        subject=reader.template("subject", "header"),
        text=reader.template("text", "text"),
        html=reader.template("html", "html"),
        headers=reader.templates("headers", "header"),
        allowed_domains=tuple(domain.lower() for domain in destination.allowed_domains),
        shown=destination.limits.content,
    )
