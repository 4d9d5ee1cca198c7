import { describe, expect, test } from 'vitest';
import { isPublicAddress, parseMediaHosts } from '../../src/net/address.ts';

describe('isPublicAddress', () => {
  test.each([
    '8.8.8.8',
    '23.215.0.136',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81c::200e',
    '64:ff9b::808:808',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    'fe80::1',
    'fec0::1',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    '100::1',
    '2001:db8::1',
    '3fff::1',
    'localhost',
    '',
    '127.1',
    '0x7f000001',
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('parseMediaHosts', () => {
  test.each([
    ['CDN.Example', 'cdn.example'],
    [' 127.0.0.1 ', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['[::1]', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
  ])('%s becomes %s', (given, canonical) => {
    expect([...parseMediaHosts([given])]).toEqual([canonical]);
  });

  test.each(['http://a', 'a:80', 'a/b', '', 'user@a', '*.example.com', 'a b'])('%s is refused', (given) => {
    expect(() => parseMediaHosts([given])).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});
