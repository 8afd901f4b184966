// Browsers start no worker for a page that is read from a disk, and the search is one. There it runs in a frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #ready

    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      this.#ready = new Promise((resolve) => {
        frame.onload = () => {
          const inside = frame.contentWindow
          inside.postMessage = (data) => this.#tell(data)
          inside.importScripts = (...scripts) =>
            scripts.reduce((before, script) => before.then(() => loaded(inside, script)), Promise.resolve())
          loaded(inside, address).then(() => resolve(inside))
        }
      })
      document.body.append(frame)
    }

    postMessage(data) {
      this.#ready.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data })))
    }

    terminate() {}

    #tell(data) {
      const message = new MessageEvent("message", { data })
      this.onmessage?.(message)
      this.dispatchEvent(message)
    }
  }

  function loaded(inside, address) {
    return new Promise((resolve, reject) => {
      const script = inside.document.createElement("script")
      script.src = address
      script.onload = resolve
      script.onerror = reject
      inside.document.body.append(script)
    })
  }
}
