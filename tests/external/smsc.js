// A real SMSC for tests/carriers.rs: the server of the npm package «smpp» on a free loopback port. Prints one JSON line for each thing that happens.
//
// What it does with a submit depends on the number's last two digits:
//   01 refuses it (ESME_RINVDSTADR)   02 throttles it the first time   03 drops the connection without an answer the first time
//   04 answers, and the person replies «TD»   05 delivers a receipt in optional parameters   others: a receipt as text
const smpp = require('smpp');
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const throttled = new Set();
const dropped = new Set();
let next = 0;
// What is to be delivered waits for the next connection, if there is none.
let bound = null;
const deliver = (pdu) => {
    const session = bound;
    if (!session) return setTimeout(deliver, 100, pdu);
    let taken = false;
    session.deliver_sm(pdu, () => (taken = true));
    // What was not acknowledged when the connection went is delivered again.
    setTimeout(() => !taken && session !== bound && deliver(pdu), 500);
};

// Over TLS where a key and its certificate are given.
const fs = require('fs');
const tls = process.argv[3] ? [{ key: fs.readFileSync(process.argv[3]), cert: fs.readFileSync(process.argv[4]) }] : [];
const server = smpp.createServer(...tls, (session) => {
    session.on('error', () => {});
    session.on('close', () => {
        if (bound === session) bound = null;
        say({ event: 'closed' });
    });
    session.on('bind_transceiver', (pdu) => {
        const known = pdu.system_id === 'fieldwork' && pdu.password === 'secret';
        session.send(pdu.response({ command_status: known ? smpp.ESME_ROK : smpp.ESME_RINVPASWD, system_id: 'smsc' }));
        if (known) bound = session;
        say({ event: 'bound', known, version: pdu.interface_version });
    });
    session.on('enquire_link', (pdu) => {
        session.send(pdu.response());
        say({ event: 'enquire_link' });
    });
    session.on('unbind', (pdu) => {
        session.send(pdu.response());
        say({ event: 'unbound' });
        session.close();
    });
    session.on('deliver_sm_resp', (pdu) => say({ event: 'taken', status: pdu.command_status }));
    session.on('submit_sm', (pdu) => {
        const to = pdu.destination_addr;
        const last = to.slice(-2);
        const text = pdu.short_message.message;
        const udh = pdu.short_message.udh;
        say({ event: 'submit', to, from: pdu.source_addr, coding: pdu.data_coding, text, part: udh ? [...udh[0]] : null, receipt: pdu.registered_delivery });
        if (last === '01') return session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
        if (last === '02' && !throttled.has(to)) {
            throttled.add(to);
            return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
        }
        if (last === '03' && !dropped.has(to)) {
            dropped.add(to);
            bound = null;
            return session.destroy();
        }
        const id = 'm' + ++next;
        session.send(pdu.response({ message_id: id }));
        if (!pdu.registered_delivery) return;
        const body = `id:${id} sub:001 dlvrd:001 submit date:2603021000 done date:2603021001 stat:DELIVRD err:000 text:`;
        const receipt = { source_addr: to, destination_addr: pdu.source_addr, esm_class: 4, short_message: body };
        if (last === '05') Object.assign(receipt, { short_message: '', receipted_message_id: id, message_state: 2 });
        setTimeout(deliver, 50, receipt);
        if (last === '04') setTimeout(deliver, 150, { source_addr: to, destination_addr: pdu.source_addr, short_message: 'TD' });
    });
});
server.listen(Number(process.argv[2] || 0), '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
