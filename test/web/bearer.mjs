// What an app without cookies keeps: its client token, and a fetch that sends
// it and takes over the new one whenever the server gives one.
export class Bearer {
  token = null;

  fetch = async (url, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set('Client-Mode', 'bearer');
    if (this.token) {
      headers.set('Authorization', `Bearer ${this.token}`);
    }
    const response = await fetch(url, { ...init, headers });
    this.token = response.headers.get('Client-Token') ?? this.token;
    return response;
  };

  /** The payload of connection_init: the same names as the headers. */
  connectionParams = () => ({ Authorization: `Bearer ${this.token}` });
}
