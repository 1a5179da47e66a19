// A real SMSC for tests/smsc.rs: the server of the npm package «smpp» on a free loopback port. Prints one JSON line for each thing that happens.
//
// What it does with a submit depends on the number's last two digits:
//   01 refuses it (ESME_RINVDSTADR)   02 throttles it the first time   03 drops the connection without an answer the first time
//   04 answers, and the person replies «TD»   05 delivers a receipt in optional parameters
//   06, 16 the person replies «退订» in UCS-2   07, 17 in three parts, the last first, with a character cut in two   08, 18 in GB 18030 (15)
//   others: a receipt as text
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
        const person = { source_addr: to, source_addr_ton: 1, source_addr_npi: 1, destination_addr: pdu.source_addr };
        const ucs2 = (text) => Buffer.from(text, 'utf16le').swap16();
        if (['06', '16'].includes(last)) setTimeout(deliver, 150, { ...person, data_coding: 8, short_message: { message: ucs2('退订') } });
        if (['07', '17'].includes(last)) {
            const octets = ucs2('物流太慢，客服态度也不好😃。'.repeat(10) + '请不要再发短信了');
            [3, 1, 2].forEach((number, nth) => {
                const message = octets.subarray((number - 1) * 133, number === 3 ? octets.length : number * 133);
                const udh = Buffer.from([5, 0, 3, 77, 3, number]);
                setTimeout(deliver, 150 + 100 * nth, { ...person, esm_class: 0x40, data_coding: 8, short_message: { udh, message } });
            });
        }
        // «别再发了»
        const gb18030 = Buffer.from('b1f0d4d9b7a2c1cb', 'hex');
        if (['08', '18'].includes(last)) setTimeout(deliver, 150, { ...person, data_coding: 15, short_message: { message: gb18030 } });
    });
});
server.listen(Number(process.argv[2] || 0), '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
