import { S3Store } from '../../src/store/s3-store.ts';
import { parseS3Url } from '../../src/store/s3-url.ts';
import { bucketOn, otherServer, ownServers, placeOnOther, type S3Bucket } from '../support/s3-servers.ts';
import { storeContract } from './contract.ts';

const open = ({ url, credentials }: S3Bucket) => new S3Store(parseS3Url(url), { credentials });

if (ownServers) {
  storeContract('S3 on Ceph’s radosgw', {
    open: async () => open(await bucketOn('radosgw')),
    capabilities: { conditionalCreate: true, presignedUrls: true },
    headKnowsDigest: true,
  });

  storeContract('S3 on OpenStack Swift', {
    open: async () => open(await bucketOn('swift')),
    capabilities: { conditionalCreate: false, presignedUrls: true },
    headKnowsDigest: true,
    pageSize: 100,
  });
}

const named = otherServer;
if (named !== undefined) {
  storeContract('S3 on the server of LIVESTOW_TEST_S3', {
    open: () => Promise.resolve(open(placeOnOther(named))),
    capabilities: {
      conditionalCreate: process.env['LIVESTOW_TEST_S3_CONDITIONAL'] !== 'false',
      presignedUrls: true,
    },
    headKnowsDigest: true,
  });
}
