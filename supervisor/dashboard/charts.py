"""Charts as ECharts options, made by pure functions. Tooltips are drawn, not written as HTML: names in them are untrusted."""

from collections.abc import Iterable, Sequence
from typing import Any

from agents.equity import Point
from agents.money import number

#: Colours that are readable on dark and on light.
BLUE, GREEN, RED, ORANGE, GREY = "#3b8eea", "#2aa876", "#e5604d", "#d9902f", "#8391a3"
_LINE = "rgba(131,145,163,.25)"

#: A moment in epoch milliseconds and a figure.
Points = Iterable[tuple[int, float]]


def _axis(**more: Any) -> dict[str, Any]:
    look = {
        "axisLabel": {"color": GREY},
        "nameTextStyle": {"color": GREY},
        "axisLine": {"lineStyle": {"color": _LINE}},
        "splitLine": {"lineStyle": {"color": _LINE}},
    }
    return look | more


def _base(label: str) -> dict[str, Any]:
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": label}},
        "grid": {"left": 8, "right": 14, "top": 36, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "renderMode": "richText"},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": GREY}, "itemWidth": 14, "itemHeight": 8},
    }


def equity(total: Iterable[Point]) -> dict[str, Any]:
    """Return the options of a chart of equity and of profit's fall from its peak, both in pUSD."""
    return _base("Equity and drawdown over time") | {
        "xAxis": _axis(type="time"),
        "yAxis": [_axis(type="value", scale=True), _axis(type="value", max=0, splitLine={"show": False})],
        "series": equity_series(total),
    }


def equity_series(total: Iterable[Point]) -> list[dict[str, Any]]:
    """Return the part of that chart which changes."""
    points, falls, peak = [], [], None
    for time, value, profit in total:
        peak = profit if peak is None else max(peak, profit)
        points.append([time, round(number(value), 2)])
        falls.append([time, round(number(profit - peak), 2)])
    return [
        {"name": "Equity", "type": "line", "showSymbol": False, "data": points, "color": BLUE, "lineStyle": {"width": 2}},
        {"name": "Drawdown", "type": "line", "yAxisIndex": 1, "showSymbol": False, "data": falls, "color": RED,
         "lineStyle": {"width": 1}, "areaStyle": {"opacity": 0.15}},
    ]  # fmt: skip


def market(prices: Points, forecasts: Sequence[list[Any]], trades: Sequence[list[Any]]) -> dict[str, Any]:
    """Return the options of a chart of the first outcome's price, with forecasts and trades on it, over the venue's time."""
    return _base("Price of the first outcome with forecasts and trades") | {
        "xAxis": _axis(type="time"),
        "yAxis": _axis(type="value", min=0, max=1),
        "tooltip": {"trigger": "item", "renderMode": "richText"},
        "series": market_series(prices, forecasts, trades),
    }


def market_series(prices: Points, forecasts: Sequence[list[Any]], trades: Sequence[list[Any]]) -> list[dict[str, Any]]:
    """Return the part of that chart which changes; forecasts and trades are [time, price, ..., who] and [.., who, bought]."""
    return [
        {"name": "Price", "type": "line", "step": "end", "showSymbol": False, "color": BLUE,
         "data": [[time, price] for time, price in prices]},
        {"name": "Forecasts", "type": "scatter", "symbol": "diamond", "symbolSize": 11, "color": ORANGE,
         "data": list(forecasts)},
        {"name": "Bought", "type": "scatter", "symbol": "triangle", "symbolSize": 10, "color": GREEN,
         "data": [trade[:3] for trade in trades if trade[3]]},
        {"name": "Sold", "type": "scatter", "symbol": "triangle", "symbolRotate": 180, "symbolSize": 10, "color": RED,
         "data": [trade[:3] for trade in trades if not trade[3]]},
    ]  # fmt: skip


def reliability(bins: Sequence[Any]) -> dict[str, Any]:
    """Return the options of a reliability plot: what was forecast against what came true, beside the diagonal."""
    return _base("Reliability of forecasts") | {
        "xAxis": _axis(type="value", min=0, max=1, name="forecast", nameLocation="middle", nameGap=24),
        "yAxis": _axis(type="value", min=0, max=1, name="came true"),
        "grid": {"left": 8, "right": 14, "top": 44, "bottom": 26, "containLabel": True},
        "tooltip": {"trigger": "item", "renderMode": "richText"},
        "series": reliability_series(bins),
    }


def reliability_series(bins: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the part of that plot which changes; a dot's area tells how many forecasts it stands for."""
    most = max((found["n"] for found in bins), default=1)
    dots = [
        {
            "value": [round(found["mean"], 3), round(found["cameTrue"], 3), found["n"]],
            "symbolSize": 6 + 22 * (found["n"] / most) ** 0.5,
        }
        for found in bins
    ]
    return [
        {
            "name": "Perfect",
            "type": "line",
            "showSymbol": False,
            "data": [[0, 0], [1, 1]],
            "color": GREY,
            "lineStyle": {"type": "dashed"},
        },
        {"name": "Forecasts", "type": "scatter", "data": dots, "color": BLUE},
    ]
