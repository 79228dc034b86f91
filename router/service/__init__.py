"""The process: webhook, routing, reload, health; `app` wires it."""
