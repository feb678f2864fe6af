/** Alerts by their place in the stream, parsed once for all outputs of this process. */
import { type Alert, decodeAlert } from '../../alert/alert.ts';

/** Most alerts and bytes kept; the oldest go first. */
const MOST_ALERTS = 4_096;
const MOST_BYTES = 4 << 20;

export class AlertCache {
  readonly #alerts = new Map<number, Alert>();
  #bytes = 0;

  /** This alert was stored there. */
  set(offset: number, alert: Alert): void {
    if (this.#alerts.has(offset)) return;
    this.#alerts.set(offset, alert);
    this.#bytes += alert.byteLength;
    for (const [oldest, { byteLength }] of this.#alerts) {
      if (this.#alerts.size <= MOST_ALERTS && this.#bytes <= MOST_BYTES) return;
      this.#alerts.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  /**
   * The alert of a message.
   * @param uuid the id that it was stored with
   * @throws SyntaxError when the message is no alert
   */
  get(offset: number, uuid: string | undefined, data: Uint8Array): Alert {
    const known = this.#alerts.get(offset);
    // A stream that was made anew has other alerts in the same places.
    if (known && known.uuid === uuid && known.byteLength === data.length) return known;
    // A copy: the client's buffer holds whatever came along with it.
    const alert = decodeAlert(Buffer.from(data));
    if (known) {
      this.#alerts.delete(offset);
      this.#bytes -= known.byteLength;
    }
    this.set(offset, alert);
    return alert;
  }
}
