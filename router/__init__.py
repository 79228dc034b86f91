"""langfuse-router: Langfuse prompt events become the right messages, durably.

    webhook -> stored event -> settled batch -> changes -> matching rules -> messages -> stored deliveries -> attempts

One folder a floor, each importing only from those before it:
domain, engine, langfuse, storage, delivery, service, cli.
"""
