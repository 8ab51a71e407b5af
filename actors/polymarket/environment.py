"""Where the official client library is to talk to."""

import dataclasses

from polymarket import Environment

# The library has no public constructor for other hosts; its version is pinned for this.
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment

from agents.ports import Endpoints

#: The real venue.
POLYMARKET = Endpoints(
    gamma_url=PRODUCTION_CONFIG.gamma_url,
    clob_url=PRODUCTION_CONFIG.clob_url,
    data_url=PRODUCTION_CONFIG.data_url,
    relayer_url=PRODUCTION_CONFIG.relayer_url,
    rpc_url=PRODUCTION_CONFIG.rpc_url,
    market_ws_url=PRODUCTION_CONFIG.clob_market_ws_url,
    user_ws_url=PRODUCTION_CONFIG.clob_user_ws_url,
)


def environment(endpoints: Endpoints) -> Environment:
    """Return the library's environment for a venue.

    For a simulated venue every other host of the library points there too, so that nothing can leave the machine.
    """
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        gamma_url=endpoints.gamma_url,
        clob_url=endpoints.clob_url,
        data_url=endpoints.data_url,
        relayer_url=endpoints.relayer_url,
        rpc_url=endpoints.rpc_url,
        clob_market_ws_url=endpoints.market_ws_url,
        clob_user_ws_url=endpoints.user_ws_url,
    )
    if endpoints.simulated:
        http, socket = endpoints.clob_url, endpoints.market_ws_url
        config = dataclasses.replace(
            config,
            rfq_url=http,
            rtds_ws_url=socket,
            sports_ws_url=socket,
            realtime_ws_url=socket,
            rfq_quoter_ws_url=socket,
            builder_gateway_url=http,
            collateral_return_url=http,
            perps_url=http,
            perps_ws_url=socket,
        )
    return create_environment(name="simulated" if endpoints.simulated else "polymarket", config=config)
