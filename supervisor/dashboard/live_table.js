// Shows the rows of live_table.py. Everything is bound as text: nothing that a market, an article or an agent says becomes HTML.
const ICONS = {
  start: "play_arrow", stop: "stop", pause: "pause", resume: "play_arrow", restart: "restart_alt", kill: "bolt", acknowledge: "check",
  approve: "check", reject: "close",
};
const HINTS = { kill: "kill the process of", acknowledge: "acknowledge" };

export default {
  template: `
    <div class="pf-table">
      <div class="pf-bar" v-if="search">
        <input type="search" v-model="needle" placeholder="Search" :aria-label="'Search in ' + caption" />
        <span class="pf-muted" aria-live="polite">{{ shown.length }} of {{ order.length }}</span>
      </div>
      <table v-if="order.length" :aria-label="caption">
        <thead>
          <tr>
            <th v-for="c in columns" :key="c.name" scope="col" :class="classes(c)" :aria-sort="sorted(c)">
              <button v-if="c.sort" type="button" class="pf-sort" @click="sortBy(c.name)">{{ c.label
                }}<span aria-hidden="true">{{ by === c.name ? (down ? " ↓" : " ↑") : "" }}</span></button>
              <template v-else>{{ c.label }}</template>
            </th>
          </tr>
        </thead>
        <tbody>
          <tr v-for="row in shown" :key="row.key" :class="row.tone" :data-key="row.key">
            <td v-for="c in columns" :key="c.name" :class="classes(c, row[c.name])" :data-label="c.label">
              <template v-if="c.kind === 'actions'">
                <span class="pf-acts">
                  <button v-for="a in row[c.name]" :key="a.name" type="button" class="pf-act" :class="'pf-' + a.name"
                    :disabled="!a.on" :title="hint(a.name, row)" :aria-label="hint(a.name, row)" @click="act(a.name, row.key)"
                  ><i class="material-icons notranslate" aria-hidden="true">{{ icon(a.name) }}</i></button>
                </span>
              </template>
              <svg v-else-if="c.kind === 'spark'" class="pf-line" :class="trend(row[c.name])" viewBox="0 0 100 28"
                preserveAspectRatio="none" role="img" :aria-label="c.label">
                <line x1="0" x2="100" :y1="zero(row[c.name])" :y2="zero(row[c.name])" />
                <polyline :points="path(row[c.name])" />
              </svg>
              <details v-else-if="c.kind === 'details' && text(row[c.name])">
                <summary>{{ sub(row[c.name]) }}</summary>
                <div class="pf-pre">{{ text(row[c.name]) }}</div>
              </details>
              <span v-else-if="c.kind === 'time'" :title="stamp(row[c.name])">{{ clock(row[c.name]) }}</span>
              <span v-else-if="c.kind === 'ago'" :title="stamp(row[c.name])">{{ ago(row[c.name]) }}</span>
              <template v-else>
                <span v-if="c.kind === 'state'" class="pf-badge" :class="'pf-' + text(row[c.name])">{{ text(row[c.name]).replace("_", " ") }}</span>
                <a v-else-if="to(row[c.name])" :href="prefix + to(row[c.name])">{{ text(row[c.name]) }}</a>
                <span v-else class="pf-value" :title="c.kind === 'text' ? text(row[c.name]) : undefined">{{ value(c, row[c.name]) }}</span>
                <small v-if="c.kind !== 'details' && sub(row[c.name])" :title="sub(row[c.name])">{{ sub(row[c.name]) }}</small>
              </template>
            </td>
          </tr>
        </tbody>
      </table>
      <p v-else class="pf-empty">{{ empty }}</p>
      <p v-if="order.length && !shown.length" class="pf-empty">Nothing matches.</p>
    </div>`,
  props: { caption: String, columns: Array, rows: Array, empty: String, search: Boolean, prefix: String },
  emits: ["action"],
  data() {
    return {
      known: new Map(this.rows.map((row) => [row.key, row])),
      order: this.rows.map((row) => row.key),
      needle: "", by: null, down: true, now: Date.now(),
    };
  },
  computed: {
    shown() {
      let rows = this.order.map((key) => this.known.get(key)).filter(Boolean);
      const needle = this.needle.trim().toLowerCase();
      if (needle) rows = rows.filter((row) => this.columns.some((c) => this.plain(row[c.name]).toLowerCase().includes(needle)));
      if (this.by) {
        const name = this.by, sign = this.down ? -1 : 1;
        rows.sort((one, other) => sign * this.compare(this.text(one[name]), this.text(other[name])));
      }
      return rows;
    },
  },
  mounted() {
    if (this.columns.some((c) => c.kind === "ago")) this.timer = setInterval(() => (this.now = Date.now()), 1000);
  },
  unmounted() {
    clearInterval(this.timer);
  },
  methods: {
    patch(changed, order) {
      for (const row of changed) this.known.set(row.key, row);
      if (!order) return;
      this.order = order;
      const kept = new Set(order);
      for (const key of [...this.known.keys()]) if (!kept.has(key)) this.known.delete(key);
    },
    act(action, key) {
      this.$emit("action", { action, key });
    },
    icon: (name) => ICONS[name] || name,
    hint: (name, row) => `${HINTS[name] || name} ${row.label || row.key}`,
    text: (cell) => (cell === null || cell === undefined ? "" : typeof cell === "object" ? cell.text ?? "" : cell),
    sub: (cell) => (cell && typeof cell === "object" ? cell.sub || "" : ""),
    to: (cell) => (cell && typeof cell === "object" ? cell.to : null),
    plain(cell) {
      return `${this.text(cell)} ${this.sub(cell)}`;
    },
    value(column, cell) {
      const value = this.text(cell);
      if ((column.kind !== "number" && column.kind !== "signed") || typeof value !== "number") return value;
      const shown = value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
      return column.kind === "signed" && value > 0 ? `+${shown}` : shown.replace("-", "−");
    },
    compare: (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other))),
    sortBy(name) {
      if (this.by !== name) [this.by, this.down] = [name, true];
      else if (this.down) this.down = false;
      else this.by = null;
    },
    sorted(column) {
      return column.sort ? (this.by !== column.name ? "none" : this.down ? "descending" : "ascending") : undefined;
    },
    classes(column, cell) {
      const value = this.text(cell);
      return [
        `pf-${column.kind}`, column.narrow ? "" : "pf-wide", (cell && cell.tone) || "",
        column.kind === "signed" && typeof value === "number" ? (value > 0 ? "pf-up" : value < 0 ? "pf-down" : "") : "",
      ];
    },
    scale(values) {
      const low = Math.min(0, ...values), high = Math.max(0, ...values);
      return (value) => 26 - (24 * (value - low)) / (high - low || 1);
    },
    path(values) {
      if (!values || values.length < 2) return "";
      const y = this.scale(values);
      return values.map((value, n) => `${((100 * n) / (values.length - 1)).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    },
    zero(values) {
      return this.scale(values || [])(0);
    },
    trend: (values) => (values && values.length && values[values.length - 1] < 0 ? "pf-down" : "pf-up"),
    clock: (time) => (time ? new Date(time).toLocaleTimeString("en-GB") : ""),
    stamp: (time) => (time ? new Date(time).toLocaleString("en-GB") : ""),
    ago(time) {
      if (!time) return "–";
      const seconds = Math.max(0, Math.round((this.now - time) / 1000));
      if (seconds < 60) return `${seconds} s`;
      return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
    },
  },
};
