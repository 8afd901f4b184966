// Browsers start no worker for a page that is read from a disk, and the search is one. There it runs in a frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #inside

    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      this.#inside = new Promise((resolve) => {
        frame.onload = () => {
          const inside = frame.contentWindow
          inside.postMessage = (data) => deliver(data, (message) => this.#hear(message))
          inside.importScripts = (...addresses) =>
            addresses.reduce((before, one) => before.then(() => load(inside, one)), Promise.resolve())
          load(inside, address).then(() => resolve(inside))
        }
      })
      document.body.append(frame)
    }

    async postMessage(data) {
      const inside = await this.#inside
      deliver(data, (message) => inside.dispatchEvent(message))
    }

    terminate() {}

    #hear(message) {
      this.onmessage?.(message)
      this.dispatchEvent(message)
    }
  }

  // As between threads: a copy, and never while whoever sends it is still busy.
  function deliver(data, take) {
    const copy = structuredClone(data)
    setTimeout(() => take(new MessageEvent("message", { data: copy })))
  }

  function load(inside, address) {
    return new Promise((resolve, reject) => {
      const script = inside.document.createElement("script")
      script.src = address
      script.onload = resolve
      script.onerror = reject
      inside.document.body.append(script)
    })
  }
}
