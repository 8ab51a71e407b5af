"""Trades of a fleet with the typed client: REST for what there is, the hub for what comes."""

import os

from supervisor.client import FleetClient, Gap

with FleetClient(os.environ.get("POLYFLEET_URL", "http://127.0.0.1:3001"), os.environ.get("POLYFLEET_API_TOKEN")) as fleet:
    after = fleet.ready()["seq"]
    print("connected:", fleet.agents()["total"], "agents, from", after, "on", flush=True)
    for event in fleet.follow(after, types=["trade"]):
        if isinstance(event, Gap):
            print("the log no longer has", event.start, "to", event.end, flush=True)
        else:
            data = event["data"]
            print(
                event["agentId"], data["action"], data["size"], data["outcome"], "@", data["price"], data["market"], flush=True
            )
