"""A chart that is sent only what has changed of it."""

from typing import Any

from nicegui import ui


class Chart:
    """An ECharts chart. `label` is what screen readers say."""

    def __init__(self, options: dict[str, Any], label: str) -> None:
        self._series = options["series"]
        self._chart = ui.echart(options).classes("pf-chart").props(f'role="img" aria-label="{label}"')

    def put(self, series: list[dict[str, Any]]) -> None:
        """Show these series."""
        if series == self._series:
            return
        changed = [new if new != old else {"name": new["name"]} for new, old in zip(series, self._series, strict=True)]
        self._series = series
        dict.__setitem__(self._chart._props["options"], "series", series)
        if self._chart.client.has_socket_connection:
            self._chart.run_chart_method("setOption", {"series": changed})
