/* The portal's side of the frame: the messages of docs/bitrix24.md, "The parent frame".
   A wrong origin, a wrong APP_SID and a denied or unknown command are ignored silently, as on a portal. */
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('frame-data').textContent);
  const init = data.init;
  const iframe = document.getElementById('app-frame');
  const allowedPaths = [
    /^\/crm\/(deal|lead|contact|company)\/details\/\d+\/(\?|$)/, /^\/crm\/type\/\d+\/details\/\d+\/(\?|$)/,
    /^\/marketplace\//, /^\/company\/personal\/user\/\d+\/(\?|$)/, /^\/workgroups\/group\/\d+\/(\?|$)/,
  ];
  window.receivedCommands = [];
  window.ignoredMessages = [];

  /* `command:JSON:callbackId:APP_SID`; the JSON holds colons, so it is read from both ends. */
  function parse(message) {
    if (message && typeof message === 'object') {
      return {command: message.method, params: message.params, callbackId: message.callback, appSid: message.appSid};
    }
    if (typeof message !== 'string') return null;
    const parts = message.split(':');
    if (parts.length < 3) return null;
    const [command, rest] = [parts[0], parts.slice(1)];
    const [appSid, callbackId] = [rest.pop(), rest.pop()];
    const json = rest.join(':');
    try {
      return {command, params: json ? JSON.parse(json) : {}, callbackId, appSid};
    } catch {
      return {command, params: json, callbackId, appSid};
    }
  }

  function reply(message, value) {
    iframe.contentWindow.postMessage(`${message.callbackId}:${JSON.stringify(value)}`, data.origin);
  }

  async function ask(command, params) {
    const answer = await fetch(`/frame/${command}`, {
      method: 'POST', headers: {'content-type': 'application/json'},
      body: JSON.stringify({appSid: init.APP_SID, params}),
    });
    return answer.ok ? answer.json() : null;
  }

  function toast(text) {
    const box = document.getElementById('toast');
    box.textContent = text;
    box.hidden = false;
    setTimeout(() => { box.hidden = true; }, 4000);
  }

  function openSlider(title, whenClosed) {
    const slider = document.getElementById('path-slider');
    document.getElementById('path-title').textContent = title;
    slider.hidden = false;
    document.getElementById('path-close').onclick = () => { slider.hidden = true; whenClosed(); };
  }

  async function store(message) {
    if (await ask(message.command, message.params)) reply(message, message.params);
  }

  const commands = {
    getInitData: (message) => reply(message, init),
    async setInstallFinish() {
      if (init.IS_ADMIN && init.INSTALL && await ask('setInstallFinish')) location.reload();
    },
    async refreshAuth(message) {
      const pair = await ask('refreshAuth');
      if (pair) reply(message, Object.assign(init, pair) && pair);
    },
    resizeWindow(message) {
      if (data.isSlider) return;
      const {width, height} = message.params;
      if (Number(height) > 0) iframe.style.height = `${Number(height)}px`;
      reply(message, {width, height});
    },
    setTitle(message) {
      if (init.PLACEMENT !== 'DEFAULT') return;
      document.getElementById('title').textContent = document.title = message.params.title;
      reply(message, message.params);
    },
    setScroll(message) {
      if (init.PLACEMENT !== 'DEFAULT') return;
      scrollTo(0, iframe.getBoundingClientRect().top + scrollY + Number(message.params.scroll));
      reply(message, message.params);
    },
    openPath(message) {
      const path = String(message.params.path);
      /* The portal looks at the browser first and at the path then: a mobile one is refused for any path
         (api-reference/bx24-js-sdk/additional-functions/bx24-open-path.md; b24jssdk's `isMobile` has the same rule). */
      const isMobile = /iphone|ipad|android|mobile|touch/i.test(navigator.userAgent);
      const onDevice = isMobile ? 'METHOD_NOT_SUPPORTED_ON_DEVICE' : null;
      const errorCode = window.errorOfOpenPath ?? onDevice ?? (allowedPaths.some((allowed) => allowed.test(path)) ? null : 'PATH_NOT_AVAILABLE');
      if (errorCode) {
        reply(message, {result: 'error', errorCode});
        return;
      }
      openSlider(path, () => reply(message, {result: 'close'}));
    },
    openApplication: (message) => openSlider('Callbook', () => reply(message, {})),
    closeApplication(message) {
      if (data.isSlider) document.querySelector('.slider-close').click();
      else reply(message, {});
    },
    imPhoneTo: (message) => toast(`Calling ${message.params.phone}…`),
    reloadWindow: () => location.reload(),
    setUserOption: store,
    setAppOption: store,
    setInstall: store,
  };

  addEventListener('message', (event) => {
    if (event.source !== iframe.contentWindow) return;
    const message = event.origin === data.origin ? parse(event.data) : null;
    if (!message || message.appSid !== init.APP_SID || !Object.hasOwn(commands, message.command)) {
      window.ignoredMessages.push({origin: event.origin, data: event.data});
      return;
    }
    window.receivedCommands.push({command: message.command, params: message.params, callbackId: message.callbackId});
    commands[message.command](message);
  });

  document.getElementById('app-form').submit();
})();
